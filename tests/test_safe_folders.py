"""No command touches a folder that is not ours, and outputs go where they are sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases_data import CASES, accepted, refused, run
from conftest import random_explainer, random_sae, unit
from index_data import SMALL, build_small, records, write_corpus

from xetrieval.errors import InputError
from xetrieval.files import Work, new_folder
from xetrieval.index import BuildConfig, Corpus, build_index

PRECIOUS = {
    ".env.local": b"SECRET=1\n",
    ".gitlab-ci.yml": b"stages: []\n",
    ".config.d/p": b"p",
    ".tmp.part/p": b"p",
    "building/p": b"p",
    "building/job.json": b'{"mine": true}',
    "explainer/p": b"p",
    "shards/mine/p": b"p",
    "shards/000000/p": b"p",
    "deleted-notes.u64": b"p",
    "faiss-mine.index": b"p",
    "config.json": b'{"mine": true}',
    "sweep.json": b"[]",
    "README.md": b"# mine\n",
}


def precious(folder: Path) -> Path:
    for name, content in PRECIOUS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def untouched(folder: Path) -> None:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == PRECIOUS


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("given")
    random_explainer(cache=True).save(home / "toy")
    random_sae().save(home / "dictionary")
    write_corpus(home / "corpus.jsonl", records(40))
    np.save(home / "v.npy", unit(60))
    toy, examples = home / "toy", home / "seen"
    accepted(run("label", "examples", toy, home / "corpus.jsonl", "--output", examples, "--sentences", 1))
    accepted(run("label", "export", toy, "--examples", examples, "--output", home / "sheet.csv"))
    return home


WRITERS: dict[str, tuple[str, ...]] = {
    "index build": ("index", "build", "corpus.jsonl", "-x", "toy", "--output"),
    "index build --restart": ("index", "build", "corpus.jsonl", "-x", "toy", "--restart", "--output"),
    "index build of nothing": ("index", "build", "absent.jsonl", "-x", "toy", "--output"),
    "fit": ("fit", "corpus.jsonl", "--encoder", "hashing", "-F", "16", "--l0", "2", "--output"),
    "fit of nothing": ("fit", "absent.jsonl", "--encoder", "hashing", "--output"),
    "sae train": ("sae", "train", "v.npy", "-F", "16", "--l0", "2", "--output"),
    "sae sweep": ("sae", "sweep", "v.npy", "--variants", "topk", "--l0", "2", "-F", "16", "--output"),
    "internalizer train": (
        *("internalizer", "train", "corpus.jsonl", "--teacher", "field:title", "--encoder", "hashing", "--output"),
    ),
    "label examples": ("label", "examples", "toy", "corpus.jsonl", "--output"),
    "label keyphrase": ("label", "keyphrase", "toy", "--examples", "seen", "--output"),
    "label import": ("label", "import", "toy", "sheet.csv", "--output"),
    "label families": ("label", "families", "toy", "--examples", "seen", "--output"),
    "label prune": ("label", "prune", "toy", "--ids", "3", "--output"),
    "label transfer": ("label", "transfer", "toy", "toy", "--corpus", "corpus.jsonl", "--output"),
    "demo": ("demo", "how", "-x", "toy", "--passages", "20", "--index"),
    **{
        f"convert to {to}": ("sae", "convert", "dictionary", "--from", "xetrieval", "--to", to)
        for to in ("xetrieval", "dictionary-learning", "saelens", "sparsify", "sentence-transformers", "release")
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_that_is_not_ours_is_refused_and_stays_as_it_is(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    monkeypatch.chdir(given)
    mine = precious(tmp_path / "mine")
    refused(run(*WRITERS[writer], mine))
    untouched(mine)
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["mine"]
    command = [str(given / part) if (given / part).exists() else part for part in WRITERS[writer]]
    monkeypatch.chdir(mine)
    refused(run(*command, "."))
    untouched(mine)


@pytest.mark.parametrize("writer", ["fit", "sae train"])
def test_a_work_folder_that_is_not_ours_is_refused_and_stays_as_it_is(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    monkeypatch.chdir(given)
    mine = precious(tmp_path / "out.work")
    assert "out.work" in refused(run(*WRITERS[writer], tmp_path / "out"))
    untouched(mine)


def test_work_removes_what_it_made_and_nothing_else(tmp_path: Path) -> None:
    work = Work(tmp_path / "out", "fit", "job", ("state-*", "draft"))

    def interrupted() -> None:
        with work:
            for name in ("state-1", "notes.txt", "draft/x"):
                (work.folder / name).parent.mkdir(exist_ok=True)
                (work.folder / name).write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (work.folder / "draft" / "x").is_file()
    with Work(tmp_path / "out", "fit", "other job", work.names) as other:
        assert not other.published
    assert [path.name for path in work.folder.iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_files_beside_an_index_survive_everything_that_happens_to_it(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 40)
    mine = {
        ".env.local": b"1",
        ".a.b": b"2",
        "shards/mine/p": b"3",
        "deleted-notes.u64": b"4",
        "faiss-mine.index": b"5",
        "bm25-mine/p": b"6",
        "explainer/NOTES": b"7",
    }
    for name, content in mine.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    more = write_corpus(tmp_path / "more.jsonl", [{**r, "_id": f"x{r['_id']}"} for r in records(20)])
    accepted(run("index", "add", folder, more))
    accepted(run("index", "delete", folder, "d3"))
    accepted(run("index", "accelerate", folder, "quantised"))
    accepted(run("search", folder, "word1", "--by", "bm25"))
    accepted(run("index", "delete", folder, "d4"))
    accepted(run("search", folder, "word1", "--by", "bm25"))
    assert {name: (folder / name).read_bytes() for name in mine} == mine


def test_a_foreign_building_in_an_index_is_refused(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 20)
    (folder / "building").mkdir()
    (folder / "building" / "plan.txt").write_text("mine")
    more = write_corpus(tmp_path / "more.jsonl", [{**r, "_id": f"x{r['_id']}"} for r in records(20)])
    for restart in (False, True):
        with pytest.raises(InputError, match="building is not an unfinished build"):
            build_index(Corpus((more,)), random_explainer(), folder, BuildConfig(adding=True, restart=restart))
    assert (folder / "building" / "plan.txt").read_text() == "mine"


def test_files_beside_an_explainer_stay_when_it_is_relabelled(given: Path, tmp_path: Path) -> None:
    toy = tmp_path / "toy"
    random_explainer().save(toy)
    (toy / "notes.txt").write_text("mine")
    (toy / "drawings").mkdir()
    (toy / "drawings" / "a.svg").write_text("<svg/>")
    accepted(run("label", "keyphrase", toy, "--examples", given / "seen"))
    assert (toy / "notes.txt").read_text() == "mine"
    assert (toy / "drawings" / "a.svg").read_text() == "<svg/>"
    assert (toy / "history.jsonl").is_file()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("config", [None, "{", '{"format": "another"}'])
def test_a_folder_that_does_not_prove_to_be_an_explainer_is_not_replaced(tmp_path: Path, config: str | None) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    if config is not None:
        (mine / "config.json").write_text(config)
    before = mine.stat().st_ino
    with pytest.raises(InputError, match="does not contain an explainer"):
        random_explainer().save(mine, overwrite=True)
    assert mine.stat().st_ino == before
    assert sorted(path.name for path in mine.iterdir()) == (["config.json"] if config else []) + ["letter.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_explainer_that_a_killed_process_had_moved_aside_is_replaced(tmp_path: Path) -> None:
    toy = tmp_path / "toy"
    random_explainer().save(toy)
    (toy / "notes.txt").write_text("mine")
    toy.rename(tmp_path / ".toy.01234567.xetrieval-old")
    random_explainer().save(toy, overwrite=True)
    assert (toy / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


# ---------------------------------------------------------------------- killed at every step


def states(folder: Path) -> str:
    return "".join((folder / name).read_text() for name in ("a", "config.json"))


@pytest.mark.slow
@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_replaced_by_a_process_that_dies_at_any_rename_is_old_or_new(tmp_path: Path, exchange: bool) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom xetrieval.files import Kind, folders, new_folder, write_text\n"
        "target, at, exchange = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == 'True'\n"
        "if not exchange:\n    folders._exchange = lambda *_: False\n"
        "seen, steps = 0, (os.replace, folders._exchange)\n"
        "def dying(step):\n    def do(*given):\n        global seen\n        seen += 1\n"
        "        if seen == at:\n            os._exit(9)\n        return step(*given)\n    return do\n"
        "os.replace, folders._exchange = map(dying, steps)\n"
        "with new_folder(target, over=Kind('x', 1, 'an x')) as scratch:\n"
        "    (scratch / 'a').write_text('new')\n"
        '    (scratch / \'config.json\').write_text(\'{"format": "x", "files": {"a": ""}}\')\n'
        "os._exit(0)\n"
    )
    config = '{"format": "x", "files": {"a": ""}}'
    deaths = 0
    for at in range(1, 9):
        target = tmp_path / f"t{at}"
        target.mkdir()
        (target / "a").write_text("old")
        (target / "config.json").write_text(config)
        command = [sys.executable, "-c", script, str(target), str(at), str(exchange)]
        done = subprocess.run(command, timeout=60, check=False)
        folders_recover(target)
        assert states(target) in ("old" + config, "new" + config)
        if done.returncode == 0:
            break
        deaths += 1
    assert deaths == (1 if exchange else 3)


def folders_recover(target: Path) -> None:
    from xetrieval.files import recover

    recover(target)


def test_names_of_scratch_that_we_did_not_make_are_nobodys(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".out.abc.tmp").write_text("mine")
    with pytest.raises(InputError, match="exists already"), new_folder(tmp_path / "out"):
        pass
    assert CASES.is_dir()


@pytest.mark.slow
def test_no_output_replaces_what_the_command_reads(tmp_path: Path) -> None:
    """Neither a file that is read nor one of a folder that is read: index, explainer, benchmark."""
    explainer = random_explainer()
    explainer.save(tmp_path / "ex")
    corpus = write_corpus(tmp_path / "d" / "corpus.jsonl", records(40))
    build_index(Corpus((corpus,)), explainer, tmp_path / "ix", SMALL)
    (tmp_path / "d" / "queries.jsonl").write_text('{"_id": "q", "text": "word1"}\n')
    (tmp_path / "d" / "qrels").mkdir()
    (tmp_path / "d" / "qrels" / "test.tsv").write_text("q\td1\t1\n")
    np.save(tmp_path / "v.npy", unit(4))
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    ix, ex, data, vectors = tmp_path / "ix", tmp_path / "ex", tmp_path / "d", tmp_path / "v.npy"
    why = ("why", ix, "word1", "d1", "--format", "json", "--output")
    for call in (
        (*why, ix / "config.json"),
        (*why, next(ix.rglob("documents.sqlite"))),
        (*why, ix / "shards" / ".." / "config.json"),
        ("steer", "apply", ix, "word1", "--set", "3=0", "--save", ix / "config.json"),
        ("steer", "suggest", ix, "--data", data, "--output", data / "queries.jsonl"),
        ("steer", "suggest", ix, "--data", data, "--output", data / "qrels" / "test.tsv"),
        ("explain", "word1", "word2", "-x", ex, "--output", ex / "config.json"),
        ("explain", "--query-vectors", vectors, "--document-vectors", vectors, "-x", ex, "--output", vectors),
        ("evaluate", "retrieval", "--data", data, "-x", ex, "--output", data / "corpus.jsonl"),
        ("teach", data, "--llm", "replay:none", "--output", data / "corpus.jsonl"),
    ):
        refused(run(*call), "that is the input")
    assert {path: path.read_bytes() for path in before} == before
    assert run(*why, tmp_path / "ix" / "why.json").returncode == 0
