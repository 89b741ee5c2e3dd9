"""A build on Ray: the same index, byte for byte, as the plain loop's. Run by `make cluster`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, unit
from index_data import SMALL, content, records, write_corpus

from xetrieval.errors import XetrievalError
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.index.build.engines.ray import pool

ON_RAY = replace(SMALL, engine="ray")


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason='pip install "xetrieval[ray]"; make cluster runs this')
    yield
    ray.shutdown()


@pytest.mark.filterwarnings("default")
def test_the_cluster_builds_what_the_loop_builds(tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(300)),))
    build_index(corpus, random_explainer(), tmp_path / "loop", SMALL)
    built = build_index(corpus, random_explainer(), tmp_path / "ray", ON_RAY)
    assert built.documents == 300
    assert len(open_index(tmp_path / "ray").shards) == 5
    assert content(tmp_path / "ray") == content(tmp_path / "loop")
    more = Corpus((write_corpus(tmp_path / "m.jsonl", records(380)[250:]),))
    for name, config in (("loop", SMALL), ("ray", ON_RAY)):
        added = build_index(more, random_explainer(), tmp_path / name, replace(config, adding=True))
        assert (added.added, added.unchanged) == (80, 50)
    assert content(tmp_path / "ray") == content(tmp_path / "loop")


@pytest.mark.filterwarnings("default")
def test_vectors_go_through_the_cluster_as_well(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", unit(200))
    corpus = Corpus((), vectors=tmp_path / "v.npy")
    for name, config in (("loop", SMALL), ("ray", ON_RAY)):
        build_index(corpus, random_explainer(), tmp_path / name, config)
    assert content(tmp_path / "ray") == content(tmp_path / "loop")


@pytest.mark.filterwarnings("default")
def test_a_dictionary_is_learned_on_the_cluster_as_in_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("torch", "numba"):
        pytest.importorskip(module, reason="learning a dictionary needs the extra train")
    monkeypatch.setattr("xetrieval.configs.rule.STEPS", 12)
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(200)),))
    for name, config in (("loop", SMALL), ("ray", ON_RAY)):
        build_index(corpus, random_explainer(), tmp_path / name, replace(config, dictionary="corpus"))
    assert content(tmp_path / "ray") == content(tmp_path / "loop")


@pytest.mark.filterwarnings("default")
def test_what_a_worker_refuses_comes_back_in_its_words(tmp_path: Path) -> None:
    z = unit(200)
    z[130] = 0
    np.save(tmp_path / "v.npy", z)
    with pytest.raises(XetrievalError, match=r"row 130 is zero .*; a zero vector has no direction"):
        build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", ON_RAY)


def test_workers_leave_the_cluster_room_to_breathe() -> None:
    """With less than a whole processor free, Ray Data stalls without a word."""
    for cpus in (1, 2, 3, 4, 16, 64):
        workers, share, _ = pool({"CPU": cpus}, 1000)
        assert workers >= 1
        assert cpus - workers * share >= min(1, cpus * 0.6)
    assert pool({"CPU": 64}, 5) == (5, 1.0, 0.0)
    assert pool({"CPU": 64, "GPU": 4}, 100, encoding=True) == (4, 1.0, 1.0)  # one each
    assert pool({"CPU": 64, "GPU": 4}, 100) == (63, 1.0, 0.0)  # vectors need none
