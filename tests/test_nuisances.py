"""Candidates for removal: the AUROC is by its definition, planted features are found, and chance is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

from xetrieval.errors import InputError
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.index.ask.nuisance import FEWEST, Ranked, nuisances
from xetrieval.index.build.delete import delete_documents
from xetrieval.sae import SparseCodes

FOOTER = "zebra zebra zebra zebra zebra zebra zebra zebra zebra zebra"


def planted(count: int) -> list[dict[str, Any]]:
    """Documents of two sites; those of cs have a footer."""
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(records(count)):
        cs = number % 2 == 0
        metadata = {"site": "cs" if cs else "ai", "ok": number % 3 == 0, "author": f"a{number}", "n": number % 4}
        rows.append({**row, "text": f"{row['text']}\n{FOOTER}" if cs else row["text"], "metadata": metadata})
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("nuisances")
    build_index(Corpus((write_corpus(home / "c.jsonl", planted(240)),)), random_explainer(), home / "index", SMALL)
    return home / "index"


@pytest.fixture
def index(folder: Path) -> Index:
    return open_index(folder)


def auroc(values: np.ndarray, has: np.ndarray) -> float:
    """By definition: the chance that one with it is above one without it; ties count half."""
    pairs = values[has][:, None] - values[~has][None]
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


def test_auroc_is_by_definition() -> None:
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((80, 12)) < 0.3, rng.random((80, 12)), 0).astype(np.float32)
    dense[:, 11] = 0  # a feature that nobody has
    features = np.argsort(-dense, axis=1, kind="stable")[:, :6]
    values = np.take_along_axis(dense, features, axis=1)
    kept = np.zeros_like(dense)
    np.put_along_axis(kept, features, values, axis=1)
    ranked = Ranked.of(SparseCodes(features.astype(np.int32), values), 12)
    has = rng.random(80) < 0.4
    for j, found in enumerate(ranked.aurocs(has)):
        assert found == pytest.approx(auroc(kept[:, j], has))
        low, high, active = ranked.interval(j, has)
        assert low <= found <= high
        assert (active == (kept[:, j] > 0)).all()
    assert ranked.aurocs(has)[11] == 0.5


def test_the_interval_covers_the_truth() -> None:
    rng, inside = np.random.default_rng(1), 0
    for _ in range(200):
        has = np.arange(120) < 50
        values = (rng.normal(size=120) + has + 5).astype(np.float32)[:, None]
        low, high, _ = Ranked.of(SparseCodes(np.zeros((120, 1), np.int32), values), 1).interval(0, has)
        inside += low <= 0.7602 <= high  # Phi(1 / sqrt(2))
    assert 0.9 <= inside / 200 <= 0.99


def test_planted_boilerplate_is_found_and_explained(index: Index) -> None:
    found = index.nuisances()
    z = index.explainer.encoder.encode_document([FOOTER])
    own = set(index.explainer.sae.encode(z).support(0).tolist())
    assert found.documents == 240
    line = f"line “{FOOTER}”"
    assert {line, "site=cs", "site=ai", "ok=true", "ok=false", "longer than the median"} <= set(found.properties)
    assert not any(name.startswith(("author", "n=")) for name in found.properties)
    by = {one.separates: [c for c in found.candidates if c.separates == one.separates] for one in found.candidates}
    assert by[line][0].feature_id in own
    assert [one.feature_id for one in by[line]] == [one.feature_id for one in by["site=cs"]]
    assert not [name for name in by if name.startswith("ok=")]  # metadata that has nothing to do with the text
    codes, has = index.codes(index.alive, "original"), np.arange(240) % 2 == 0
    for one in by["site=cs"]:
        values = np.where(codes.features == one.feature_id, codes.values, 0).sum(axis=1)
        assert one.auroc == pytest.approx(auroc(values, has), abs=1e-4)
        assert one.auroc >= 0.7
        assert one.auroc_ci[0] > one.auroc_permuted
        assert one.with_it == pytest.approx((values[has] > 0).mean(), abs=1e-4)
        assert one.without_it == pytest.approx((values[~has] > 0).mean(), abs=1e-4)


def test_only_some_fields_and_documents_that_are_left(folder: Path, index: Index, tmp_path: Path) -> None:
    found = nuisances(index, ["ok"])
    assert {name for name in found.properties if "=" in name} == {"ok=true", "ok=false"}
    assert nuisances(index, least=1.0).candidates == ()
    rows = planted(240)
    build_index(Corpus((write_corpus(tmp_path / "c.jsonl", rows),)), random_explainer(), tmp_path / "index", SMALL)
    delete_documents(tmp_path / "index", [f"d{i}" for i in range(240) if i % 2])
    left = nuisances(open_index(tmp_path / "index"))
    assert left.documents == 120
    assert "site=cs" not in left.properties  # all of them
    delete_documents(tmp_path / "index", [f"d{i}" for i in range(0, 240, 2)])
    assert nuisances(open_index(tmp_path / "index")).documents == 0
    assert FEWEST == 20


def test_wrong_arguments_are_refused(folder: Path, index: Index) -> None:
    with pytest.raises(InputError, match="no document has the field 'nope'"):
        index.nuisances(["nope"])
    with pytest.raises(InputError, match="not one text"):
        index.nuisances("site")
    for least in (0.4, 2, float("nan"), True, "0.7"):
        with pytest.raises(InputError, match="least"):
            nuisances(index, least=least)  # type: ignore[arg-type]
    refused(run("index", "nuisances", folder, "--field", "nope"))
    refused(run("index", "nuisances", folder, "--least", "0.2"))
    refused(run("index", "nuisances", folder / "nowhere"))


def test_the_command_prints_the_evidence(folder: Path, index: Index) -> None:
    text = accepted(run("index", "nuisances", folder)).stdout
    assert "site=cs" in text
    assert "permuted" in text
    shown = json.loads(accepted(run("index", "nuisances", folder, "--format", "json", "--field", "site")).stdout)
    assert shown == json.loads(json.dumps(index.nuisances(["site"]).to_dict()))
