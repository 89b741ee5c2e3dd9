"""An index asked: search in every mode, why a document stands where it does, what a corpus is about."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, unit
from index_data import SMALL, build_small

from xetrieval.errors import InputError, MismatchError
from xetrieval.explain import Explanation
from xetrieval.files import alone, sha256_of_file
from xetrieval.index import BuildConfig, Corpus, Index, build_index, open_index
from xetrieval.index.ask.overview import overview
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.search.concept import parse
from xetrieval.index.search.dense import steered_rows
from xetrieval.index.search.nearest import accelerate
from xetrieval.index.search.sparse import idf
from xetrieval.registry import SEARCH_MODES
from xetrieval.steer import SteeringProfile, steered_vectors

COUNT = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("index"), COUNT)


@pytest.fixture
def index(folder: Path) -> Index:
    return open_index(folder)


def brute(index: Index, query: str) -> tuple[np.ndarray, np.ndarray]:
    """All rows by score, from texts encoded anew."""
    texts = [index.document(row).text for row in range(index.manifest.rows)]
    q = index.explainer.encoder.encode_query([query])[0]
    scores = index.explainer.encoder.encode_document(texts) @ q
    return np.lexsort((np.arange(len(scores)), -scores)), scores


# ---------------------------------------------------------------------- search


def test_dense_search_is_exact(index: Index) -> None:
    order, scores = brute(index, "word1 word2 word3")
    hits = index.search("word1 word2 word3", 25)
    assert [hit.row for hit in hits] == order[:25].tolist()
    np.testing.assert_allclose([hit.score for hit in hits], scores[order[:25]], atol=1e-6)
    assert [hit.rank for hit in hits] == list(range(1, 26))
    assert len(index.search("word1", 10_000)) == COUNT


@pytest.mark.slow
def test_an_8_bit_scan_finds_what_the_exact_one_finds(tmp_path: Path) -> None:
    from xetrieval.index.search.engines.quantised import open_copies, quantised, to_fixed

    z = unit(3000, seed=8)
    z[1500:1600] = z[:100] + 1e-4 * unit(100, seed=9)  # near-ties: rounding alone would mix them up
    z[5] = 0
    z[5, 7] = 1  # all of it in one number
    np.save(tmp_path / "v.npy", z)
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", BuildConfig(512))
    delete_documents(tmp_path / "index", ["7", "1507"])
    exact, fast = open_index(tmp_path / "index"), open_index(tmp_path / "index")
    assert exact.companion(open_copies) is None  # from here on it scans
    assert accelerate(fast, "quantised") == (3000 * (64 + 8), 1.0)
    assert fast.companion(open_copies) is not None
    for seed in range(20):
        q = z[[seed]] + 0.02 * unit(1, seed=seed)
        for k in (1, 10, 300):
            a, b = (index.search(q, k) for index in (exact, fast))
            assert [hit.row for hit in a] == [hit.row for hit in b]
            np.testing.assert_allclose([hit.score for hit in a], [hit.score for hit in b], atol=1e-6)
    q, z = unit(200, seed=3), unit(500, seed=4)
    copy = quantised(z)
    products = to_fixed(q).astype(np.int64) @ copy.numbers.astype(np.int64).T
    off = np.abs(products * copy.scale - q.astype(np.float64) @ z.astype(np.float64).T)
    assert (off <= copy.off).all()
    assert np.median(off) < np.median(copy.off) / 2


def test_faiss_finds_most_and_scores_exactly(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    np.save(tmp_path / "v.npy", unit(4000, seed=8))
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", BuildConfig(1000))
    delete_documents(tmp_path / "index", ["17"])
    index = open_index(tmp_path / "index")
    assert accelerate(index, "faiss").recall_at_10 > 0.7
    q = unit(4000, seed=8)[[17]]
    exact, fast = index.search(q, 10, exact=True), index.search(q, 10)
    of = {hit.row: hit.score for hit in exact}
    assert 17 not in {hit.row for hit in fast}
    found = [hit for hit in fast if hit.row in of]
    assert len(found) >= 5
    np.testing.assert_allclose([hit.score for hit in found], [of[hit.row] for hit in found], atol=1e-6)


def test_a_faiss_file_is_made_alone_and_of_the_index_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    from xetrieval.index.store import sealed

    hashed: list[Path] = []
    monkeypatch.setattr(sealed, "sha256_of_file", lambda path: hashed.append(path) or sha256_of_file(path))
    folder = build_small(tmp_path, 40)
    stale = open_index(folder)
    delete_documents(folder, ["d3"])
    accelerate(open_index(folder), "faiss")
    assert len(hashed) == 1
    made = {path.name: path.read_bytes() for path in folder.glob("faiss-*")}
    with pytest.raises(InputError, match="has changed since it was opened"):
        accelerate(stale, "faiss")
    current = open_index(folder)
    with alone(folder / ".lock", ""), pytest.raises(InputError, match="another process is writing this index"):
        accelerate(current, "faiss")
    assert {path.name: path.read_bytes() for path in folder.glob("faiss-*")} == made
    assert current.search("word1 word2", 5)


def test_filters_are_exact(index: Index) -> None:
    order, _ = brute(index, "word1 word2")
    wanted = [row for row in order if index.document(int(row)).metadata["site"] == "cs"]
    assert [hit.row for hit in index.search("word1 word2", 10, filters={"site": ["cs"]})] == wanted[:10]
    both = index.search("word1 word2", COUNT, filters={"site": ["cs"], "tags": ["t1", "t2"]})
    assert {hit.document.metadata["tags"][0] for hit in both} == {"t1", "t2"}
    assert {hit.document.metadata["site"] for hit in both} == {"cs"}
    with pytest.raises(InputError, match="this index has n, site, tags"):
        index.search("word1", filters={"place": ["x"]})


@pytest.mark.slow
@pytest.mark.parametrize("by", SEARCH_MODES)
def test_the_parts_of_every_hit_add_up_to_its_score(index: Index, by: str) -> None:
    query = '"label 3" #8^2 label OR -"label 5"' if by == "concept" else "word1 word2 word2 word9"
    query = '"label 3" OR #8^2 NOT "label 5"' if by == "concept" else query
    hits = index.search(query, 30, by)
    assert hits
    for hit in hits:
        why = hit.explanation
        assert why.mode == by
        assert why.bias + why.remainder + sum(term.share for term in why.terms) == pytest.approx(hit.score, abs=1e-5)
        assert f"{why.score:+.4f}" in str(why)
        assert f"{why.score:+.4f}" in why._repr_html_()
        json.dumps(hit.with_explanation(3).to_dict())


def test_views_are_added_with_their_weights(index: Index) -> None:
    q, _ = index.query_vector("word4 word5")
    views = index.explainer.reasoned(index.vectors(np.arange(COUNT)))
    wanted = views[0] @ q + 0.5 * (views[1] @ q) + 0.25 * (views[3] @ q)
    hits = index.search("word4 word5", 12, views={"qa": 0.5, "purpose": 0.25})
    assert [hit.row for hit in hits] == np.argsort(-wanted, kind="stable")[:12].tolist()
    for hit in hits:
        assert hit.explanation.mode == "views"
        assert hit.explanation.score == pytest.approx(wanted[hit.row], abs=1e-5)
    with pytest.raises(InputError, match="this index has qa, summary, purpose"):
        index.search("word4", views={"absent": 1})


def test_steering_equals_editing_the_vectors(index: Index) -> None:
    sae, rows = index.explainer.sae, np.arange(COUNT)
    query = index.query_vector("word1 word2 word3")[0]
    top = index.search("word1 word2 word3", 1)[0].explanation
    assert isinstance(top, Explanation)
    factors = {top.terms[0].feature_id: 0.0, 17: 2.5, 40: 1.0}
    z = steered_vectors(sae, index.vectors(rows), index.codes(rows, "original"), factors)
    wanted = z @ query.astype(np.float64)
    hits = index.search("word1 word2 word3", 15, steer=SteeringProfile(factors, sae.digest))
    np.testing.assert_allclose([hit.score for hit in hits], wanted[[hit.row for hit in hits]], atol=1e-6)
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(wanted)[::-1][:15], atol=1e-6)
    np.testing.assert_allclose(steered_rows(index, query, rows, factors), wanted, atol=1e-6)
    for hit in hits:
        why = hit.explanation
        assert isinstance(why, Explanation)
        assert why.score == pytest.approx(hit.score, abs=1e-6)
        assert top.terms[0].feature_id not in why.per_view["original"]
        assert "steered: " in str(why)
    with pytest.raises(MismatchError, match="belongs to the autoencoder"):
        index.search("word1", steer=SteeringProfile({3: 2.0}, "another"))


def test_sparse_scores_are_the_weighted_products_of_codes(index: Index) -> None:
    codes = index.codes(np.arange(COUNT), "original").dense(128).astype(np.float64)
    n = (codes > 0).sum(axis=0)
    weight = np.log(1 + (COUNT - n + 0.5) / (n + 0.5))
    np.testing.assert_allclose(idf(index), weight)
    query = index.explainer.sae.encode(index.query_vector("word7 word8")[0][None]).dense(128)[0]
    scores = codes @ (weight * query)
    hits = index.search("word7 word8", 10, "sparse")
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(scores)[::-1][:10], atol=1e-9)


def test_concepts_are_terms(index: Index) -> None:
    codes = index.codes(np.arange(COUNT), "original").dense(128)
    hits = index.search('#8 AND "label 3" NOT #21', COUNT, "concept")
    allowed = (codes[:, 8] > 0) & (codes[:, 3] > 0) & (codes[:, 21] == 0)
    assert {hit.row for hit in hits} == set(np.flatnonzero(allowed).tolist())
    weighted = index.search("#8^3 #3", 5, "concept")
    np.testing.assert_allclose([h.score for h in weighted], np.sort(3 * codes[:, 8] + codes[:, 3])[::-1][:5], rtol=1e-6)
    terms = parse('+"Label 3" -#9 label^0.5', [f for f in index.explainer.features if f.feature_id < 12])
    assert [(t.features, t.weight, t.required, t.excluded) for t in terms] == [
        ((3,), 1.0, True, False),
        ((9,), 1.0, False, True),
        ((1, 3, 5, 7, 9, 11), 0.5, False, False),
    ]
    for wrong, words in {
        '"x': "cannot read",
        "-#3": "at least one",
        "#999": "no feature 999",
        "zzz": "in its label",
        "#8 AND": "no concept after AND",
        "#8 OR ": "no concept after OR",
        "#3^0 NOT #8": "with a weight above 0",
        "#8 NOT NOT #3": "NOT NOT: write a concept between them",
        "#8 AND NOT": "no concept after NOT",
        "NOT": "no concept after NOT",
        "AND #8": "no concept before AND",
        "#8 AND OR #3": "AND OR: write a concept between them",
    }.items():
        with pytest.raises(InputError, match=words):
            index.search(wrong, 3, "concept")


def test_searches_that_make_no_sense_are_refused(index: Index) -> None:
    for arguments, words in (
        ({"query": " "}, "empty"),
        ({"query": "x", "by": "magic"}, "choose one of"),
        ({"query": "x", "k": 0}, "at least 1"),
        ({"query": "y" * 200_001}, "at most 200,000"),
        ({"query": "x", "by": "bm25", "views": {"qa": 1}}, "cannot be combined"),
        ({"query": unit(2)}, "one at a time"),
        ({"query": unit(1), "by": "bm25"}, "give the query as text"),
        *(({"query": query, "by": "bm25"}, "counts none of its words") for query in ("C", "R?", "the", "it is a C")),
        *(({"query": "x", "views": wrong}, "give {view: weight}") for wrong in (False, 0, "", [])),
        *(({"query": "x", "exact": wrong}, "exact must be True or False") for wrong in ("yes", None, 1)),
        *(({"query": "x", "filters": wrong}, "give a list of conditions") for wrong in (False, 0, "", True)),
    ):
        with pytest.raises(InputError, match=words):
            index.search(**arguments)  # type: ignore[arg-type]
    assert index.search("word1 " * 10_000, 1)


# ---------------------------------------------------------------------- why


def test_every_document_knows_its_rank_and_its_rival(index: Index) -> None:
    order, scores = brute(index, "word1 word2 word3")
    for place in (0, 9, 10, 150):
        row = int(order[place])
        answer = index.why("word1 word2 word3", index.document(row).id, k=10, counterfactual=True)
        assert answer.rank == place + 1
        assert answer.documents == COUNT
        assert answer.explanation.score == pytest.approx(scores[row], abs=1e-6)
        assert answer.counterfactual is not None
        assert answer.counterfactual.inside == (place < 10)
        if place < 10:
            assert answer.contrast is None
            assert answer.counterfactual.cutoff_score == pytest.approx(scores[order[10]], abs=1e-6)
        else:
            assert answer.over is not None
            assert answer.over.rank == 10
            assert answer.contrast is not None
            assert answer.contrast.second.score == pytest.approx(scores[order[9]], abs=1e-6)
        assert answer.counterfactual.sentences
        json.dumps(answer.top(3).to_dict())


def test_a_change_of_rank_is_one(index: Index) -> None:
    """The erased features take the document out of the top, the boost takes it in: scored again by hand."""
    from xetrieval.sae.projection import FeatureSets
    from xetrieval.steer import erase

    query = "word1 word2 word3"
    q = index.query_vector(query)[0].astype(np.float64)
    first = index.search(query, 1)[0]
    change = index.why(query, first.doc_id, k=3, counterfactual=True).counterfactual
    assert change is not None
    assert change.erase is not None
    ids = np.array([feature.feature_id for feature in change.erase.features], np.int32)
    z = index.vectors(np.array([first.row]))
    assert float(erase(index.explainer.sae, z, FeatureSets.of([ids]))[0] @ q) < index.search(query, 4)[3].score
    boosted = 0
    for hit in index.search(query, 30)[5:]:
        change = index.why(query, hit.doc_id, k=5, counterfactual=True).counterfactual
        assert change is not None
        if change.boost is None:
            assert "no factor up to" in change.sentences[0]
            continue
        boosted += 1
        rows = np.array([hit.row])
        factors = dict.fromkeys(change.boost.features, change.boost.factor)
        moved = steered_vectors(index.explainer.sae, index.vectors(rows), index.codes(rows, "original"), factors)
        assert float(moved[0] @ q) == pytest.approx(change.boost.score, abs=1e-6)
        assert float(moved[0] @ q) > change.cutoff_score
    assert boosted


def test_a_list_says_what_its_hits_share(index: Index) -> None:
    hits = index.search("word1 word2 word3", 8)
    shares = [{term.feature_id: term.share for term in hit.explanation.terms} for hit in hits]
    found = overview(index, hits, bad=[hits[0].doc_id, hits[1].doc_id])
    for row in (*found.common, *found.splitting, *found.misleading):
        assert row.hits == sum(row.feature_id in has for has in shares)
        assert row.mean_share == pytest.approx(np.mean([has.get(row.feature_id, 0) for has in shares]))
        assert row.bad == pytest.approx(np.mean([has.get(row.feature_id, 0) for has in shares[:2]]))
        assert row.good == pytest.approx(np.mean([has.get(row.feature_id, 0) for has in shares[2:]]))
    assert all(row.bad > row.good for row in found.misleading)
    assert found.misleading
    with pytest.raises(InputError, match="not one of the 8 hits"):
        overview(index, hits, good=["absent"])


# ---------------------------------------------------------------------- report and doctor


def test_a_report_counts_what_is_there(index: Index) -> None:
    from xetrieval.index.ask.report import report

    found = report(index, topics=500)
    codes = index.codes(np.arange(COUNT), "original").dense(128)
    has = codes > 0
    common = has.sum(axis=0) >= max(20, 0.25 * COUNT)
    assert {feature.feature_id for feature in found.boilerplate} == set(np.flatnonzero(common).tolist())
    strongest = np.where(common, 0, codes).argmax(axis=1)
    assert {t.name: t.documents for t in found.topics} == {
        index.explainer.features[j].label or f"feature {j}": int((strongest == j).sum()) for j in np.unique(strongest)
    }
    assert found.dead_features == int((~has.any(axis=0)).sum())
    for pair in found.coactive:
        a, b = has[:, pair.first.feature_id], has[:, pair.second.feature_id]
        assert (a & b).sum() / (a | b).sum() == pytest.approx(pair.jaccard, abs=1e-3)
    json.dumps(found.to_dict())


@pytest.mark.slow
def test_a_hub_is_found_and_said_why(tmp_path: Path) -> None:
    """Documents scattered around one: it is the nearest of them all."""
    from xetrieval.index.ask.report import report

    rng = np.random.default_rng(0)
    centre = unit(1, seed=1)[0]
    around = rng.standard_normal((300, 64)).astype(np.float32)
    z = np.concatenate([centre[None], 0.5 * centre + around / np.linalg.norm(around, axis=1, keepdims=True)])
    np.save(tmp_path / "v.npy", z)
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", SMALL)
    index = open_index(tmp_path / "index")
    hub = report(index).hubs[0]
    assert hub.doc_id == "0"
    assert hub.found > 100
    assert hub.explanation.terms
    shares = [
        {term.feature_id: term.share for term in index.why(index.vectors(np.array([row]))[0], "0").explanation.terms}
        for row in range(1, 301)
        if 0 in {hit.row for hit in index.search(index.vectors(np.array([row]))[0], 11)}
    ]
    assert len(shares) == hub.found
    first = hub.explanation.terms[0]
    assert np.mean([has.get(first.feature_id, 0.0) for has in shares]) == pytest.approx(first.share, abs=1e-3)
