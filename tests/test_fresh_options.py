"""Options that would have no effect are refused, on the command line and in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases_data import refused, run
from conftest import random_explainer, unit
from index_data import records, write_corpus

from xetrieval import Corpus, FitConfig, fit, open_encoder
from xetrieval.configs import ChunkConfig
from xetrieval.encoders import HashingEncoder
from xetrieval.errors import InputError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("options") / "corpus.jsonl", records(30))


def test_the_form_of_internalizers_needs_a_teacher(corpus: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    done = run("fit", str(corpus), "--encoder", "hashing", "--output", str(new), "--form", "paper")
    refused(done, "form paper needs a teacher")
    with pytest.raises(InputError, match="form paper needs a teacher"):
        fit([corpus], "hashing", [], new, FitConfig(form="paper"))
    assert not new.exists()


def test_only_a_model_has_a_precision(corpus: Path, tmp_path: Path) -> None:
    for encoder in ("hashing", "hashing:32", "http://localhost:1/v1#m", "vectors:none.npy"):
        done = run(
            "fit", str(corpus), "--encoder", encoder, "--output", str(tmp_path / "new"), "--precision", "bfloat16"
        )
        refused(done, "precision bfloat16 needs a sentence-transformers model")
    for own in (HashingEncoder(), lambda texts: unit(len(texts))):
        with pytest.raises(InputError, match="precision bfloat16 needs"):
            open_encoder(own, precision="bfloat16")  # type: ignore[arg-type]
    assert open_encoder("hashing", precision="float32")


def test_pieces_are_cut_from_a_corpus(corpus: Path, tmp_path: Path) -> None:
    random_explainer().save(tmp_path / "ex")
    np.save(tmp_path / "v.npy", unit(30))
    build = ["index", "build", "--output", str(tmp_path / "new"), "-x", str(tmp_path / "ex")]
    refused(run(*build, "--chunk-tokens", "100"), "--chunk-tokens needs a corpus")
    vectors = ("--vectors", str(tmp_path / "v.npy"))
    for options in (("--chunk-tokens", "100"), ("--chunk-overlap", "1"), ("--no-chunks",)):
        refused(
            run(*build, str(corpus), *vectors, *options), f"{options[0]} and --vectors cannot be combined: documents"
        )
    refused(run(*build, str(corpus), "--no-chunks", "--chunk-tokens", "99"), "--no-chunks and --chunk-tokens cannot be")
    refused(
        run(*build, str(corpus), "--chunk-tokens", "9"),
        "--chunk-tokens 9 is out of range; give a whole number, at least 16",
    )
    with pytest.raises(InputError, match="chunking and vectors cannot be combined"):
        Corpus((), ChunkConfig(100), vectors=tmp_path / "v.npy")
    with pytest.raises(InputError, match="column needs vectors"):
        Corpus((corpus,), column="vector")
    assert not (tmp_path / "new").exists()
