"""Commands whose process dies at an unlucky moment: the same command goes on, or nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer, unit
from index_data import records, write_corpus

from xetrieval.errors import InputError
from xetrieval.explain import load
from xetrieval.files import Work

pytestmark = pytest.mark.slow


SMALL = ("--encoder", "hashing:48", "-F", "16", "--l0", "2", "--epochs", "1", "--sentences", "0")
DIES = """
import os, sys
from xetrieval.cli import main
at, what = int(sys.argv[1]), sys.argv[2]
seen = 0

def dying(step, before):
    def do(*given, **named):
        global seen
        seen += 1
        if before and seen == at:
            os._exit(9)
        done = step(*given, **named)
        if seen == at:
            os._exit(9)
        return done
    return do

if what == "save":
    import xetrieval.explain.explainer as place
    place.write_explainer = dying(place.write_explainer, False)
elif what == "publish":
    import xetrieval.sae.files as place
    place.write_sae_folder = dying(place.write_sae_folder, False)
else:
    os.replace = dying(os.replace, True)
sys.argv = ["xetrieval", *sys.argv[3:]]
main()
"""


def dies(at: int, what: str, *command: object) -> bool:
    """Run a command whose process ends at the at-th such step; whether it got so far."""
    arguments = [sys.executable, "-c", DIES, str(at), what, *map(str, command)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 9), done.stderr
    return done.returncode == 9


@pytest.mark.parametrize("at", [1, 2])
def test_a_fit_that_dies_after_a_save_goes_on(tmp_path: Path, at: int) -> None:
    corpus = write_corpus(tmp_path / "corpus.jsonl", records(60))
    command = ("fit", corpus, *SMALL, "--output", tmp_path / "made")
    assert dies(at, "save", *command)
    assert (tmp_path / "made.work").is_dir()
    if at == 2:  # published already: another fit does not take it for its own
        done = run("fit", corpus, *SMALL, "--seed", 7, "--output", tmp_path / "made")
        assert done.returncode == 2
        assert "exists already" in done.stderr
    accepted(run(*command))
    assert load(tmp_path / "made").metrics["original"]
    left = {path.name for path in tmp_path.iterdir() if path.name != "cache"}
    assert left == {"corpus.jsonl", "made"}


def test_a_training_that_dies_once_it_is_published_goes_on(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", unit(80))
    command = ("sae", "train", tmp_path / "v.npy", "-F", 16, "--l0", 2, "--output", tmp_path / "made")
    assert dies(1, "publish", *command)
    assert (tmp_path / "made.work").is_dir()
    done = run("sae", "train", tmp_path / "v.npy", "-F", 16, "--l0", 3, "--output", tmp_path / "made")
    assert done.returncode == 2
    accepted(run(*command))
    assert {path.name for path in tmp_path.iterdir() if path.name != "cache"} == {"v.npy", "made"}


@pytest.mark.parametrize("edited", ["corpus.jsonl", "lessons.jsonl"])
def test_a_published_fit_is_not_taken_for_that_of_inputs_edited_since(tmp_path: Path, edited: str) -> None:
    corpus = write_corpus(tmp_path / "corpus.jsonl", records(40))
    taught = [{"_id": f"d{number}", "summary": f"word{number} in short"} for number in range(40)]
    lessons = write_corpus(tmp_path / "lessons.jsonl", taught)
    command = ("fit", corpus, *SMALL, "--teacher", lessons, "--output", tmp_path / "made")
    assert dies(2, "save", *command)
    was = (tmp_path / edited).read_text()
    (tmp_path / edited).write_text(was.replace("word1 ", "word2 "))  # as long as before
    refused(run(*command), "exists already")
    assert (tmp_path / "made").is_dir()


def test_a_published_training_is_not_taken_for_that_of_vectors_edited_since(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", unit(80))
    command = ("sae", "train", tmp_path / "v.npy", "-F", 16, "--l0", 2, "--output", tmp_path / "made")
    assert dies(1, "publish", *command)
    np.save(tmp_path / "v.npy", unit(80, seed=5))
    refused(run(*command), "exists already")


@pytest.mark.parametrize("what", ["fit", "sae train"])
def test_a_second_one_into_one_folder_is_refused_and_deletes_nothing(tmp_path: Path, what: str) -> None:
    np.save(tmp_path / "v.npy", unit(80))
    training = ("sae", "train", tmp_path / "v.npy", "-F", 16, "--l0", 2)
    command = training if what != "fit" else ("fit", write_corpus(tmp_path / "c.jsonl", records(40)), *SMALL)
    with Work(tmp_path / "made", what, "job", ("views-*.npy", "log.jsonl")) as work:
        for name in ("views-0.npy", "log.jsonl"):
            (work.folder / name).write_text("of the first")
        refused(run(*command, "--output", tmp_path / "made"), "another process is working there")
        assert {"views-0.npy", "log.jsonl", ".xetrieval"} <= {path.name for path in work.folder.iterdir()}
    assert not work.folder.exists()


def test_work_in_which_nothing_was_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bad"), Work(tmp_path / "out", "fit", "job", ()):
        raise InputError("bad")
    assert not list(tmp_path.iterdir())


def test_names_whose_writer_dies_at_a_rename_are_the_old_or_the_new(tmp_path: Path) -> None:
    toy, corpus = tmp_path / "toy", write_corpus(tmp_path / "corpus.jsonl", records(40))
    random_explainer().save(toy)
    accepted(run("label", "examples", toy, corpus, "--output", tmp_path / "seen", "--sentences", 0))
    before = [feature.label for feature in load(toy).features]
    command = ("label", "keyphrase", toy, "--examples", tmp_path / "seen")
    for at in (1, 3, 6):
        died = dies(at, "replace", *command)
        accepted(run("info", toy))
        now = [feature.label for feature in load(toy).features]
        assert now == before or not died
    accepted(run(*command))
    assert [feature.label for feature in load(toy).features] != before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert json.loads((toy / "config.json").read_text())["name"] == "toy"
