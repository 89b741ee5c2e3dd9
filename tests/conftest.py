"""Small explainers that every test may use, and the shared data where it is at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from xetrieval.arrays import l2norm
from xetrieval.data import Document
from xetrieval.data.python_docs import python_docs
from xetrieval.encoders import HashingEncoder
from xetrieval.explain import Explainer
from xetrieval.features import Feature
from xetrieval.internalizer import Internalizer
from xetrieval.sae import SparseAutoencoder
from xetrieval.views import ASPECTS


@cache
def documentation() -> tuple[Document, ...]:
    """300 passages of this Python's documentation, parsed once for all tests."""
    return tuple(python_docs(300))


def random_sae(features: int = 128, dimension: int = 64, k: int = 16, seed: int = 0) -> SparseAutoencoder:
    rng = np.random.default_rng(seed)
    directions = l2norm(rng.standard_normal((features, dimension))).astype(np.float32)
    return SparseAutoencoder(
        encoder_weight=directions.copy(),
        encoder_bias=rng.normal(0, 0.01, features).astype(np.float32),
        decoder_weight=np.ascontiguousarray(directions.T),
        decoder_bias=rng.normal(0, 0.02, dimension).astype(np.float32),
        k=k,
    )


def random_internalizer(dimension: int = 64, hidden: int = 32, form: str = "residual", seed: int = 0) -> Internalizer:
    rng = np.random.default_rng(seed)
    return Internalizer(
        w1=rng.normal(0, 0.3, (hidden, dimension)).astype(np.float32),
        b1=rng.normal(0, 0.1, hidden).astype(np.float32),
        w2=rng.normal(0, 0.1, (dimension, hidden)).astype(np.float32),
        b2=rng.normal(0, 0.01, dimension).astype(np.float32),
        form=form,
    )


def random_explainer(dimension: int = 64, cache: Path | bool = False) -> Explainer:
    sae = random_sae(dimension=dimension)
    return Explainer(
        name="toy",
        encoder_identity=HashingEncoder(dimension).identity,
        sae=sae,
        internalizers={aspect: random_internalizer(dimension, seed=seed) for seed, aspect in enumerate(ASPECTS, 1)},
        features=tuple(
            Feature(i, f"label {i}" if i % 2 else None, "keyphrase" if i % 2 else None, 0.1)
            for i in range(sae.features)
        ),
        cache=cache,
    )


def unit(n: int, dimension: int = 64, seed: int = 0) -> np.ndarray:
    return l2norm(np.random.default_rng(seed).standard_normal((n, dimension))).astype(np.float32)


LONGEST = ("wheel", "sae_train", "page", "compact", "index", "own_dictionary", "cli_sae", "reproduce", "cases_data")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no process waits for another at the end."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONGEST)


@pytest.fixture
def explainer() -> Explainer:
    return random_explainer()


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XETRIEVAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = os.environ.get("XETRIEVAL_DATA")
    if not folder:
        pytest.skip("set XETRIEVAL_DATA to the folder of benchmarks (BEIR layout) to run this test")
    if not (Path(folder) / "scifact").is_dir():
        pytest.skip(f"XETRIEVAL_DATA={folder} has no folder scifact")
    return Path(folder)


@pytest.fixture(scope="module")
def models_shared() -> Iterator[None]:
    """Every sentence-transformers model is loaded once in a file of tests."""
    from cases_data import models_loaded_once

    with models_loaded_once():
        yield


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder folders of tests/cases."""
    from cases_data import made

    return made("encoders", tmp_path_factory.mktemp("made"))
