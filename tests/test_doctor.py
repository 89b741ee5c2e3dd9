"""A checkup of an index: what it measures, what it advises, and what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases_data import accepted, run
from index_data import build_small

from xetrieval.errors import InputError
from xetrieval.index import Index, open_index

COUNT = 200


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return open_index(build_small(tmp_path, COUNT))


@pytest.mark.slow
def test_a_checkup_measures_and_advises(index: Index) -> None:
    from xetrieval.evaluate.doctor import advice, checkup

    z = index.vectors(np.arange(COUNT))
    back = index.explainer.sae.decode(index.codes(np.arange(COUNT), "original"))
    found = checkup(index)
    cosine = np.einsum("nm,nm->n", z, back) / np.linalg.norm(back, axis=1)
    assert found.cosine == pytest.approx(cosine.mean(), abs=1e-4)
    assert found.query_source == "titles"
    assert "no figures to compare with" in found.advice[0]
    fine = replace(found, cosine_on_card=found.cosine + 0.01, remainder=0.1, verdict="good here")
    assert not any("good enough" in line for line in advice(replace(fine, verdict="partly"), "xetrieval fit"))
    assert advice(fine, "xetrieval fit")[0].startswith("good enough")
    assert advice(replace(fine, cosine_on_card=found.cosine + 0.2), "xetrieval fit")[0].startswith("refit")
    assert any("--no-chunks" in line for line in advice(replace(fine, unread=0.3), "xetrieval fit"))
    queries = ["word1 word2", "word3 word4", "word5"]
    best = [index.search(query, 1)[0].doc_id for query in queries]
    worst = index.search(queries[2], COUNT)[-1].doc_id
    judged = checkup(index, queries, [{best[0]: 1}, {best[1]: 1}, {worst: 1}])
    assert (judged.judged, judged.failed) == (3, 1)
    assert judged.failing[0].queries == ("word5",)
    wrong = index.search("word5", 3)
    mean = np.mean(
        [{t.feature_id: t.share for t in h.explanation.terms}.get(judged.failing[0].feature, 0) for h in wrong]
    )
    assert judged.failing[0].mean_share == pytest.approx(mean, abs=1e-4)
    with pytest.raises(InputError, match="judgments for each query"):
        checkup(index, queries, [{}])
    missed = checkup(index, queries, [{one: 1} for one in best], own=[None, best[1], None])
    assert missed.failed == judged.failed, "the query's own document is not ranked, so it is not found"
    assert missed.failing[0].queries == ("word3 word4",)
    with pytest.raises(InputError, match="for each query, as `own`"):
        checkup(index, queries, own=[None])


def test_doctor_says_which_queries_have_the_id_of_a_document(tmp_path: Path) -> None:
    index = build_small(tmp_path, 40)
    (tmp_path / "q.jsonl").write_text('{"_id": "d1", "text": "word1"}\n{"_id": "q", "text": "word2"}\n')
    (tmp_path / "qrels.tsv").write_text("d1\td1\t1\nq\td3\t1\n")
    done = accepted(run("doctor", index, "--queries", tmp_path / "q.jsonl", "--qrels", tmp_path / "qrels.tsv"))
    assert "queries with the id of a document, which is not ranked for them, as in BEIR: 1 (1 of these" in done.stderr
