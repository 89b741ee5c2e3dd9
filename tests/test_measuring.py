"""PyTerrier and mteb: an index of ours in the pipelines of people who measure retrieval."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import random_explainer
from connect_data import IDS, QUERY, TEXTS, VECTORS, Q

from xetrieval import open_encoder
from xetrieval.encoders import HashingEncoder
from xetrieval.errors import InputError, MismatchError
from xetrieval.index import Corpus, Index, build_index, open_index

SCORES = VECTORS @ Q
BEST = [IDS[row] for row in (-SCORES).argsort(kind="stable")]
pytestmark = [pytest.mark.slow, pytest.mark.connect]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    rows = [json.dumps({"_id": name, "text": text}) + "\n" for name, text in TEXTS.items()]
    (tmp_path / "c.jsonl").write_text("".join(rows))
    build_index(Corpus((tmp_path / "c.jsonl",)), random_explainer(), tmp_path / "index")
    return open_index(tmp_path / "index")


def test_results_of_pyterrier_have_explanations(index: Index) -> None:
    pt = pytest.importorskip("pyterrier", reason='pip install "xetrieval[pyterrier]"')
    pd = pytest.importorskip("pandas")
    from xetrieval.connect.pyterrier import Explain, Retriever

    topics = pd.DataFrame([["q1", QUERY], ["q2", "loans grow"]], columns=["qid", "query"])
    found = (Retriever(index, 3) >> Explain(index.folder, top=2))(topics)
    assert [*found.columns] == ["qid", "query", "docno", "score", "rank", "explanation"]
    first = found[found.qid == "q1"]
    assert [*first.docno] == BEST[:3]
    assert [*first["rank"]] == [0, 1, 2]
    for row in found.itertuples():
        one = row.explanation
        assert one["score"] == pytest.approx(row.score, abs=1e-5)
        shares = sum(each["share"] for each in one["features"]) + one["other_features"]
        assert one["bias"] + shares + one["remainder"] == pytest.approx(row.score, abs=1e-5)
        assert len(one["features"]) <= 2
    mixed = found[["qid", "query", "docno"]].sample(frac=1, random_state=0)
    again = Explain(index)(mixed)
    assert [*again.docno] == [*mixed.docno]
    expected = {(row.qid, row.docno): row.score for row in found.itertuples()}
    for row in again.itertuples():
        assert row.explanation["score"] == pytest.approx(expected[row.qid, row.docno], abs=1e-5)
    qrels = pd.DataFrame([["q1", BEST[0], 1], ["q2", "d05", 0]], columns=["qid", "docno", "label"])
    measured = pt.Experiment([Retriever(index, 3)], topics, qrels, ["recip_rank"], names=["ours"])
    assert measured["recip_rank"][0] > 0
    assert len(Retriever(index)(topics.iloc[:0])) == 0
    assert len(Explain(index)(found.iloc[:0])) == 0
    with pytest.raises(InputError, match="no column 'query'"):
        Retriever(index)(topics[["qid"]])
    with pytest.raises(InputError, match="no document 'x'"):
        Explain(index)(found.assign(docno="x"))
    with pytest.raises(InputError, match="k must be a whole number"):
        Retriever(index, 0)


def test_mteb_measures_an_index_and_an_encoder(tmp_path: Path) -> None:
    mteb = pytest.importorskip("mteb", reason='pip install "xetrieval[mteb]"')
    datasets = pytest.importorskip("datasets")
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    from xetrieval.connect.mteb import Encoder, Search

    judged = {f"q{row}": {name: 1} for row, name in enumerate(IDS)}

    class Toy(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="ToyRetrieval",
            description="made here",
            reference=None,
            type="Retrieval",
            category="t2t",
            modalities=["text"],
            dataset={"path": "none", "revision": "1"},
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
            date=("2026-01-01", "2026-01-02"),
            domains=["Medical"],
            task_subtypes=[],
            license="cc0-1.0",
            annotations_creators="derived",
            dialect=[],
            sample_creation="found",
            bibtex_citation="",
        )

        def load_data(self, *_: object, **__: object) -> None:
            corpus = datasets.Dataset.from_list([{"id": n, "title": "", "text": t} for n, t in TEXTS.items()])
            queries = [{"id": f"q{row}", "text": " ".join(t.split()[:2])} for row, t in enumerate(TEXTS.values())]
            parts = {"corpus": corpus, "queries": datasets.Dataset.from_list(queries), "relevant_docs": judged}
            self.dataset = {"default": {"test": {**parts, "top_ranked": None}}}
            self.data_loaded = True

    explainer = random_explainer()
    search = Search(tmp_path / "indexes", explainer)
    scores = []
    for model in (search, Encoder(explainer), Search(tmp_path / "indexes", explainer)):
        result = mteb.evaluate(model, Toy(), cache=None, show_progress_bar=False)
        scores.append(result.task_results[0].scores["test"][0]["ndcg_at_10"])
    assert scores[0] == scores[2] == pytest.approx(scores[1], abs=1e-6)
    assert scores[0] > 0.5
    opened = search.indexes["ToyRetrieval-default-test"]
    assert opened.search(QUERY, 1)[0].explanation.doc_id == BEST[0]
    found = search.search([{"id": "q", "text": QUERY}], top_k=1, top_ranked={"q": ["d03", "d04"]})
    assert [*found["q"]] == [name for name in BEST if name in ("d03", "d04")][:1]
    with pytest.raises(InputError, match="an index of other documents"):
        search.index([{"id": "x", "text": "x"}], task_metadata=Toy.metadata, hf_split="test", hf_subset="default")
    other = open_encoder(HashingEncoder(64).encode_document, name="other", version="1")
    foreign = replace(explainer, encoder_identity=other.identity)
    rows = [{"id": name, "title": "", "text": text} for name, text in TEXTS.items()]
    with pytest.raises(MismatchError, match="an index by another encoder"):
        Search(tmp_path / "indexes", foreign).index(
            rows, task_metadata=Toy.metadata, hf_split="test", hf_subset="default"
        )
