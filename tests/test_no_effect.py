"""Every option has an effect or is refused: at most once, and not without the option that it belongs to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import random_sae, unit
from index_data import build_small

from xetrieval.errors import InputError
from xetrieval.evaluate.doctor import checkup
from xetrieval.index import open_index


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("effect"), 60)


def test_a_duplicate_option_is_refused(folder: Path, tmp_path: Path) -> None:
    search = ("search", folder, "word1")
    refused(run(*search, "--steer", "a.json", "--steer", "b.json"), "--steer is given more than once; give it once")
    refused(run(*search, "-k", "3", "--hits", "4"), "--hits is given more than once")
    refused(run("steer", "up", folder, "word1", "d1", "--harm=0.1", "--harm", "0.2"), "--harm is given more than once")
    accepted(run(*search, "--filter", "n>=1", "--filter", "n<=90", "--exact", "--exact"))
    assert "--steer" in run(*search, "--steer", "--steer").stderr  # the second is the name of a file


def test_a_cosine_needs_queries_to_be_like(folder: Path) -> None:
    steer = ("steer", "apply", folder, "word1", "--set", "1=0.5")
    refused(run(*steer, "--least-cosine", "0.5"), "--least-cosine needs --like: it is the least cosine")
    accepted(run(*steer, "--least-cosine", "0.5", "--like", "word1"))


def test_a_precision_needs_judgments(folder: Path, tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text(json.dumps({"_id": "q", "text": "word1 word2"}) + "\n")
    refused(run("doctor", folder, "--precision", "0.5"), "--precision needs --qrels: only judged hits")
    refused(run("doctor", folder, "--precision", "0.5", "--queries", queries), "--precision needs --qrels")
    refused(run("doctor", folder, "--skip-bad"), "--skip-bad needs --queries")
    with pytest.raises(InputError, match="precision needs judgments"):
        checkup(open_index(folder), ["word1"], precision=0.5)


def test_a_port_needs_a_page() -> None:
    refused(run("demo", "--port", "80"), "--port needs --serve: it is the port of the page")
    refused(run("demo", "how", "--serve"), "QUERY and --serve cannot be combined")


def test_a_link_to_nothing_is_not_called_a_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("gone")
    (tmp_path / "c.jsonl").write_text('{"_id": "a", "text": "one"}\n')
    build = ("index", "build", tmp_path / "c.jsonl", "-x", folder / "explainer", "--output", tmp_path / "out")
    refused(run(*build), "out: a link to gone, which does not exist; choose another output")
    fit = ("fit", tmp_path / "c.jsonl", "--encoder", "hashing", "--output", tmp_path / "out")
    refused(run(*fit), "out: a link to gone, which does not exist")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c.jsonl", "out"]


def test_an_encoder_of_benchmarks_needs_benchmarks(tmp_path: Path) -> None:
    random_sae().save(tmp_path / "sae")
    np.save(tmp_path / "v.npy", unit(9))
    evaluate = ("sae", "evaluate", tmp_path / "sae", "--vectors", tmp_path / "v.npy")
    accepted(run(*evaluate))
    refused(run(*evaluate, "--encoder", "hashing"), "--encoder needs --data: it encodes the texts of benchmarks")
    refused(run(*evaluate, "--data", "x"), "--data needs --encoder: the texts of the benchmarks")
