"""Small things that were passed over in silence, or ended in a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases_data import accepted, made, refused
from conftest import random_explainer, unit
from index_data import build_small, records, write_corpus
from test_cli import run

from xetrieval.encoders import Counts, HashingEncoder, open_encoder
from xetrieval.errors import DamagedError, InputError
from xetrieval.index import open_index
from xetrieval.index.build.verify import verify_index
from xetrieval.steer import SteeringProfile
from xetrieval.teachers import read_teacher


def test_a_pair_that_a_file_repeats_is_one_lesson(tmp_path: Path) -> None:
    from xetrieval.data import read_corpora

    (tmp_path / "c.jsonl").write_text('{"_id": "q", "text": "why"}\n{"_id": "a", "text": "because"}\n')
    (tmp_path / "pairs.tsv").write_text("q\ta\nq\ta\nq\ta\n")
    assert len(read_teacher(str(tmp_path / "pairs.tsv"), read_corpora([tmp_path / "c.jsonl"]))) == 1


@pytest.mark.slow
def test_empty_files_of_a_folder_are_counted(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "a.md").write_text("# Yeast\n\nYeast makes bread rise.\n")
    (pages / "b.txt").write_text("")
    (pages / "c.md").write_text("\ufeff \n\t\n")
    fitted = ("--encoder", "hashing", "--output", tmp_path / "ex", "-F", 16, "--l0", 4, "--inference-l0", 4)
    (tmp_path / "c.jsonl").write_text(
        "".join(json.dumps({"_id": str(i), "text": f"word{i} bread"}) + "\n" for i in range(40))
    )
    accepted(run("fit", tmp_path / "c.jsonl", *fitted))
    done = accepted(run("index", "build", pages, "--output", tmp_path / "ix", "-x", tmp_path / "ex"))
    assert "2 files were skipped: no text, or an unsupported extension (2 without text)" in done.stderr


def test_counted_words_without_their_record_are_damaged(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 40)
    open_index(folder).search("word1", by="bm25")
    verify_index(folder)
    next(folder.glob("bm25-*/seal.json")).unlink()
    with pytest.raises(DamagedError, match=r"seal\.json: missing"):
        verify_index(folder)
    refused(run("index", "verify", folder), "seal.json")


def test_a_faiss_file_without_its_record_is_not_used(tmp_path: Path) -> None:
    """As a run killed between the two leaves it: the answer is that of an exact scan."""
    pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    from xetrieval.index.search.nearest import accelerate

    folder = build_small(tmp_path, 40)
    wanted = [(hit.doc_id, hit.score) for hit in open_index(folder).search("word1 word2", 5, exact=True)]
    accelerate(open_index(folder), "faiss")
    next(folder.glob("faiss-*.json")).unlink()
    assert [(hit.doc_id, hit.score) for hit in open_index(folder).search("word1 word2", 5)] == wanted


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_a_profile_that_names_an_unknown_feature_is_refused(tmp_path: Path, factor: float) -> None:
    index = open_index(build_small(tmp_path, 40))
    with pytest.raises(InputError, match="there is no feature 9999"):
        index.search("word1", steer=SteeringProfile({9999: factor}, index.explainer.sae.digest))


@pytest.mark.slow
@pytest.mark.parametrize("order", [[0], [2, 1, 0]])
def test_a_model_folder_that_encodes_nothing_is_damaged(tmp_path: Path, order: list[int]) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("encoders", tmp_path / "made") / "plain", folder, symlinks=True)
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([modules[place] for place in order]))
    with pytest.raises((DamagedError, InputError)):
        open_encoder(folder).encode_query(["a text"])


def test_ctrl_c_while_the_commands_are_loaded_is_one_line() -> None:
    code = (
        "import sys, importlib.abc\n"
        "class Stop(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'xetrieval.cli.app': raise KeyboardInterrupt\n"
        "import xetrieval.cli\n"
        "sys.meta_path.insert(0, Stop())\n"
        "xetrieval.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert done.stderr.count("\n") == 1
    assert "interrupted" in done.stderr


def test_a_query_that_cannot_be_read_is_said_where_nothing_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build_small(tmp_path, 40)
    counts = Counts(*(np.array([number], np.int32) for number in (0, 3, 3)))  # 3 tokens, none of which it knows
    monkeypatch.setattr(HashingEncoder, "token_counts", lambda *_: counts, raising=False)
    done = accepted(run("search", folder, "🙂 🙂 🙂", "--filter", "n=1", "--filter", "site=cs"))
    assert "no document matches" in done.stderr
    assert "unknown to the encoder" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("rows", [[3], [3, 3], [3] * 50])
def test_rows_without_variance_have_no_share_of_it(tmp_path: Path, rows: list[int]) -> None:
    x = unit(200, 16)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "few.npy", x[rows])
    train = ("sae", "train", tmp_path / "x.npy", "--features", 16, "--l0", 2, "--output", tmp_path / "s")
    accepted(run(*train))
    refused(run("sae", "evaluate", tmp_path / "s", "--vectors", tmp_path / "few.npy"), "no variance to explain")


def test_doctor_of_one_document_claims_no_variance(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 1)
    done = accepted(run("doctor", folder, "--format", "json"))
    assert json.loads(done.stdout)["fvu"] is None
    assert "none" in accepted(run("doctor", folder)).stdout


@pytest.mark.slow
def test_a_link_that_leads_back_to_itself_is_refused_wherever_a_path_is_given(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    corpus = write_corpus(tmp_path / "c.jsonl", records(40))
    random_explainer().save(tmp_path / "ex")
    fitted = ("--encoder", "hashing", "-F", 16, "--l0", 2, "--inference-l0", 2, "--output", tmp_path / "fitted")
    accepted(run("label", "examples", tmp_path / "ex", corpus, "--output", tmp_path / "le"))
    accepted(run("label", "export", tmp_path / "ex", "--examples", tmp_path / "le", "--output", tmp_path / "w.csv"))
    inside = tmp_path / "loop" / "x"
    for call in (
        ("fit", tmp_path / "loop", *fitted),
        ("fit", corpus, *fitted[:-1], inside),
        ("label", "import", tmp_path / "ex", tmp_path / "w.csv", "--output", inside),
        ("label", "keyphrase", tmp_path / "ex", "--examples", tmp_path / "le", "--output", inside),
        ("index", "build", corpus, "-x", tmp_path / "ex", "--output", inside),
        ("teach", corpus, "--llm", "replay:none", "--output", inside),
        ("serve", tmp_path / "loop"),
    ):
        refused(run(*call))
