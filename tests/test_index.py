"""An index: built whole or gone on with, changed without readers noticing half of it, searched exactly."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, unit
from index_data import SMALL, content, records, write_corpus

from xetrieval.data.chunks import Chunking
from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.explain import Breakdown, Explanation
from xetrieval.index import BuildConfig, Corpus, Index, build_index, open_index
from xetrieval.index.change import delete_documents
from xetrieval.index.concepts import idf, parse
from xetrieval.index.dense import steered_rows
from xetrieval.index.layout import RECORD
from xetrieval.index.listing import listing
from xetrieval.index.verify import verify_index
from xetrieval.intervene import SteeringProfile, steered_vectors
from xetrieval.store import alone

COUNT = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("index")
    corpus = Corpus((write_corpus(home / "corpus.jsonl", records(COUNT)),))
    assert build_index(corpus, random_explainer(), home / "index", SMALL).added == COUNT
    return home / "index"


@pytest.fixture
def index(folder: Path) -> Index:
    return open_index(folder)


def brute(index: Index, query: str) -> tuple[np.ndarray, np.ndarray]:
    """All rows by score, from texts encoded anew."""
    texts = [index.document(row).text for row in range(index.manifest.rows)]
    q = index.explainer.encoder.encode_query([query])[0]
    scores = index.explainer.encoder.encode_document(texts) @ q
    return np.lexsort((np.arange(len(scores)), -scores)), scores


# ---------------------------------------------------------------------- build


def test_an_index_holds_what_its_documents_encode_to(index: Index) -> None:
    rows = np.array([130, 3, 64, 63, 199])
    texts = [index.document(int(row)).text for row in rows]
    z = index.explainer.encoder.encode_document(texts)
    np.testing.assert_allclose(index.vectors(rows), z, atol=1e-7)
    for place, (view, wanted) in enumerate(zip(index.manifest.views, index.explainer.codes(z), strict=True)):
        stored = index.codes(rows, view).dense(128)
        tolerance = 1e-6 if place == 0 else 2e-3
        np.testing.assert_allclose(stored, wanted.dense(128), atol=tolerance)
        np.testing.assert_array_equal(stored > 0, wanted.dense(128) > 0)
    assert index.document(3).metadata == {"site": "ai", "tags": ["t3", "all"], "n": 3}
    assert index.row_of("d64") == 64
    assert len(index) == COUNT
    assert index.fields == ["n", "site", "tags"]


def test_postings_are_the_codes_by_feature(index: Index) -> None:
    dense = index.codes(np.arange(COUNT), "original").dense(128)
    np.testing.assert_array_equal(index.frequency, (dense > 0).sum(axis=0))
    for feature in (0, 17, 127):
        rows, values = index.postings(feature)
        np.testing.assert_array_equal(rows, np.flatnonzero(dense[:, feature]))
        np.testing.assert_array_equal(values, dense[rows, feature])


def test_a_build_killed_at_any_point_goes_on_to_the_same_index(tmp_path: Path) -> None:
    """At 20 random points of its work on files, each time until one build comes through, then once more."""
    script = Path(__file__).with_name("index_data.py")
    done = subprocess.run([sys.executable, script, tmp_path, "20"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the same index each time" in done.stdout


def test_nothing_is_encoded_twice_beyond_the_last_block(tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(100)),))
    explainer, seen = random_explainer(), []

    class Failing:
        identity = explainer.encoder_identity

        def encode_query(self, texts: list[str]) -> np.ndarray:
            return explainer.encoder.encode_query(texts)

        def encode_document(self, texts: list[str]) -> np.ndarray:
            if len(seen) == 75 - 75 % 16:
                seen.append("stopped")
                raise KeyboardInterrupt
            seen.extend(texts)
            return explainer.encoder.encode_document(texts)

    failing = replace(explainer, _encoder=[Failing()])
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, failing, tmp_path / "index", SMALL)
    with pytest.raises(InputError, match="has not ended"):
        open_index(tmp_path / "index")
    build_index(corpus, failing, tmp_path / "index", SMALL)
    assert len(seen) == 101
    assert len(open_index(tmp_path / "index")) == 100


def test_memory_stays_flat_as_the_corpus_grows(tmp_path: Path) -> None:
    """Ten times the documents, the same peak within 20 %; in a process where nothing else keeps things."""
    script = Path(__file__).with_name("index_data.py")
    done = subprocess.run([sys.executable, script, tmp_path, "memory"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    small, large = map(int, done.stdout.split())
    assert large < 1.2 * small


def test_the_same_command_again_has_nothing_to_do(folder: Path, tmp_path: Path) -> None:
    before = content(folder)
    corpus = Corpus((folder.parent / "corpus.jsonl",))
    again = build_index(corpus, random_explainer(), folder, SMALL)
    assert (again.added, again.updated, again.documents) == (0, 0, COUNT)
    assert content(folder) == before
    other = Corpus((write_corpus(tmp_path / "o.jsonl", records(3, seed=5)),))
    with pytest.raises(InputError, match="holds an index already"):
        build_index(other, random_explainer(), folder, SMALL)
    assert content(folder) == before


def test_a_corpus_that_changed_during_a_build_is_refused(tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(100)),))
    explainer = random_explainer()

    def stop(stage: str, done: int, total: int, note: str) -> None:
        if stage == "index" and done >= 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, explainer, tmp_path / "index", SMALL, stop)
    write_corpus(tmp_path / "c.jsonl", records(100, seed=1))
    with pytest.raises(InputError, match="changed meanwhile"):
        build_index(corpus, explainer, tmp_path / "index", SMALL)
    assert build_index(corpus, explainer, tmp_path / "index", replace(SMALL, restart=True)).documents == 100
    verify_index(tmp_path / "index")


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from xetrieval.index.writer import ShardWriter

    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(100)),))
    build_index(corpus, random_explainer(), tmp_path / "whole", SMALL)
    write, written = ShardWriter._write, []

    def full(self: ShardWriter, name: str, numbers: object) -> None:
        written.append(name)
        if len(written) > 40:
            raise OSError(errno.ENOSPC, "No space left on device", str(self.folder / name))
        write(self, name, numbers)

    monkeypatch.setattr(ShardWriter, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    monkeypatch.undo()
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    assert content(tmp_path / "index") == content(tmp_path / "whole")


def test_documents_of_one_word_and_of_a_million(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "long.txt").write_text("word1 word2 word3 word4. " * 250_000)
    (tmp_path / "texts" / "short.txt").write_text("word")
    corpus = Corpus((tmp_path / "texts",), Chunking(20_000))
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    index = open_index(tmp_path / "index")
    assert len(index) == 314
    assert index.document(index.row_of("short.txt")).text == "word"
    assert index.document(index.row_of("long.txt#313")).end == 250_000 * 25 - 1
    write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "text": "word " * 1_000_000}])
    with pytest.raises(InputError, match="longer than 4 MB; cut the text into passages"):
        build_index(Corpus((tmp_path / "c.jsonl",)), random_explainer(), tmp_path / "other", SMALL)


def test_two_writers_are_kept_apart(tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(10)),))
    (tmp_path / "index").mkdir()
    with alone(tmp_path / "index" / ".lock", ""), pytest.raises(InputError, match="another process is writing"):
        build_index(corpus, random_explainer(), tmp_path / "index", SMALL)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([{"_id": "a", "text": "x"}, {"_id": "a", "text": "y"}], "id 'a' stands twice"),
        ([{"text": "no id"}], "field '_id' is missing"),
        ([{"_id": "a", "text": " "}], "neither title nor text"),
    ],
)
def test_a_corpus_that_cannot_be_used_is_refused_before_any_work(
    tmp_path: Path, lines: list[dict[str, object]], words: str
) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", lines),))
    with pytest.raises(InputError, match=words):
        build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    assert not (tmp_path / "index" / "shards").exists()


def test_vectors_that_exist_already_need_no_encoder(tmp_path: Path) -> None:
    z = 3 * unit(150)
    np.save(tmp_path / "v.npy", z)
    (tmp_path / "v.npy.ids.txt").write_text("".join(f"doc {i}\n" for i in range(150)))
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", SMALL)
    index = open_index(tmp_path / "index")
    np.testing.assert_allclose(index.vectors(np.arange(150)), z / 3, atol=1e-6)
    hit = index.search(z[7], 1)[0]
    assert (hit.id, round(hit.score, 5)) == ("doc 7", 1.0)
    assert isinstance(hit.explanation, Explanation)
    np.save(tmp_path / "v.npy", z[:, :32])
    with pytest.raises(InputError, match="dimension is 32, expected 64"):
        build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "other", SMALL)


# ---------------------------------------------------------------------- change


def test_documents_are_added_replaced_and_deleted(tmp_path: Path) -> None:
    rows = records(100)
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),))
    explainer, target = random_explainer(), tmp_path / "index"
    build_index(corpus, explainer, target, SMALL)
    reader = open_index(target)
    rows[5]["text"], rows[6]["metadata"] = "something else entirely", {"site": "new"}
    write_corpus(tmp_path / "c.jsonl", [*rows[:50], *records(130)[120:]])
    built = build_index(corpus, explainer, target, replace(SMALL, adding=True))
    assert (built.added, built.updated, built.unchanged, built.documents) == (10, 2, 48, 110)
    assert reader.document(reader.row_of("d5")).text != "Title 5\nsomething else entirely"  # as it was when opened
    index = open_index(target)
    assert index.document(index.row_of("d5")).text == "Title 5\nsomething else entirely"
    assert index.row_of("d5") >= 100
    assert index.search("something else entirely", 1)[0].id == "d5"
    assert [hit.id for hit in index.search("word1", 20, filters={"site": ["new"]})] == ["d6"]
    assert delete_documents(target, ["d5", "d7"]) == 108
    index = open_index(target)
    found = {hit.id for hit in index.search("something else entirely", 108)}
    assert len(found) == 108
    assert not {"d5", "d7"} & found
    with pytest.raises(InputError, match="no document 'd5'"):
        index.row_of("d5")
    with pytest.raises(InputError, match="nothing was deleted"):
        delete_documents(target, ["d9", "absent"])
    assert len(open_index(target)) == 108
    again = build_index(corpus, explainer, target, replace(SMALL, adding=True))
    assert (again.added, again.updated) == (2, 0)  # the two that were deleted
    verify_index(target)


def test_an_index_of_another_explainer_is_not_added_to(folder: Path, tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(3)),))
    other = replace(random_explainer(), sae=replace(random_explainer().sae, k=8))
    with pytest.raises(MismatchError, match="other weights"):
        build_index(corpus, other, folder, replace(SMALL, adding=True))
    with pytest.raises(MismatchError, match="other weights"):
        open_index(folder, other)


def test_any_damaged_byte_is_found(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    delete_documents(copy, ["d3"])
    assert verify_index(copy) > 40
    files = [p for p in sorted(copy.rglob("*")) if p.is_file() and p.name not in (".lock", RECORD)]
    for path in files:
        whole = path.read_bytes()
        at = len(whole) // 2
        if path.suffix == ".sqlite":  # a letter of a stored text
            at = whole.index(b"word") + 1
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DamagedError):
            verify_index(copy)
        path.write_bytes(whole)
    assert verify_index(copy) > 40
    vectors = copy / "shards" / "000001" / "vectors.f32"
    vectors.write_bytes(vectors.read_bytes()[:-256])
    with pytest.raises(DamagedError, match="holds 63 rows of 64"):
        open_index(copy).search("word1")


def test_a_newer_format_is_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"format_version": 99}))
    with pytest.raises(DamagedError, match="format version 99"):
        open_index(tmp_path)


# ---------------------------------------------------------------------- search


def test_dense_search_is_exact(index: Index) -> None:
    order, scores = brute(index, "word1 word2 word3")
    hits = index.search("word1 word2 word3", 25)
    assert [hit.row for hit in hits] == order[:25].tolist()
    np.testing.assert_allclose([hit.score for hit in hits], scores[order[:25]], atol=1e-6)
    assert [hit.rank for hit in hits] == list(range(1, 26))
    assert len(index.search("word1", 10_000)) == COUNT


def test_an_8_bit_scan_finds_what_the_exact_one_finds(tmp_path: Path) -> None:
    from xetrieval.index.coarse import make_coarse, to_coarse, to_fixed

    z = unit(3000, seed=8)
    z[1500:1600] = z[:100] + 1e-4 * unit(100, seed=9)  # near-ties: rounding alone would mix them up
    z[5] = 0
    z[5, 7] = 1  # all of it in one number
    np.save(tmp_path / "v.npy", z)
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", BuildConfig(512))
    delete_documents(tmp_path / "index", ["7", "1507"])
    exact, coarse = open_index(tmp_path / "index"), open_index(tmp_path / "index")
    assert make_coarse(coarse) == 3000 * (64 + 8)
    assert coarse.coarse
    exact.__dict__["coarse"] = False
    for seed in range(20):
        q = z[[seed]] + 0.02 * unit(1, seed=seed)
        for k in (1, 10, 300):
            a, b = (index.search(q, k) for index in (exact, coarse))
            assert [hit.row for hit in a] == [hit.row for hit in b]
            np.testing.assert_allclose([hit.score for hit in a], [hit.score for hit in b], atol=1e-6)
    q, z = unit(200, seed=3), unit(500, seed=4)
    copy = to_coarse(z)
    products = to_fixed(q).astype(np.int64) @ copy.numbers.astype(np.int64).T
    off = np.abs(products * copy.scale - q.astype(np.float64) @ z.astype(np.float64).T)
    assert (off <= copy.off).all()
    assert np.median(off) < np.median(copy.off) / 2


def test_faiss_finds_most_and_scores_exactly(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    from xetrieval.index.approximate import make_faiss

    np.save(tmp_path / "v.npy", unit(4000, seed=8))
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", BuildConfig(1000))
    delete_documents(tmp_path / "index", ["17"])
    index = open_index(tmp_path / "index")
    facts = make_faiss(index)
    assert facts["recall_at_10"] > 0.7
    q = unit(4000, seed=8)[[17]]
    exact, fast = index.search(q, 10, exact=True), index.search(q, 10)
    of = {hit.row: hit.score for hit in exact}
    assert 17 not in {hit.row for hit in fast}
    found = [hit for hit in fast if hit.row in of]
    assert len(found) >= 5
    np.testing.assert_allclose([hit.score for hit in found], [of[hit.row] for hit in found], atol=1e-6)


def test_filters_are_exact(index: Index) -> None:
    order, _ = brute(index, "word1 word2")
    wanted = [row for row in order if index.document(int(row)).metadata["site"] == "cs"]
    assert [hit.row for hit in index.search("word1 word2", 10, filters={"site": ["cs"]})] == wanted[:10]
    both = index.search("word1 word2", COUNT, filters={"site": ["cs"], "tags": ["t1", "t2"]})
    assert {hit.document.metadata["tags"][0] for hit in both} == {"t1", "t2"}
    assert {hit.document.metadata["site"] for hit in both} == {"cs"}
    with pytest.raises(InputError, match="this index has n, site, tags"):
        index.search("word1", filters={"place": ["x"]})


@pytest.mark.parametrize("by", ["dense", "sparse", "bm25", "hybrid", "concept"])
def test_the_parts_of_every_hit_add_up_to_its_score(index: Index, by: str) -> None:
    query = '"label 3" #8^2 label OR -"label 5"' if by == "concept" else "word1 word2 word2 word9"
    query = '"label 3" OR #8^2 NOT "label 5"' if by == "concept" else query
    hits = index.search(query, 30, by)
    assert hits
    for hit in hits:
        why = hit.explanation
        parts = [f.share for f in why.features] if isinstance(why, Explanation) else [p.share for p in why.parts]
        assert why.bias + why.remainder + sum(parts) == pytest.approx(hit.score, abs=1e-5)
        assert f"{why.score:+.4f}" in str(why)
        assert f"{why.score:+.4f}" in why._repr_html_()
        json.dumps(hit.to_dict(True, 3))


def test_views_are_added_with_their_weights(index: Index) -> None:
    q, _ = index.query_vector("word4 word5")
    views = index.explainer.reasoned(index.vectors(np.arange(COUNT)))
    wanted = views[0] @ q + 0.5 * (views[1] @ q) + 0.25 * (views[3] @ q)
    hits = index.search("word4 word5", 12, weights={"qa": 0.5, "purpose": 0.25})
    assert [hit.row for hit in hits] == np.argsort(-wanted, kind="stable")[:12].tolist()
    for hit in hits:
        assert isinstance(hit.explanation, Breakdown)
        assert hit.explanation.score == pytest.approx(wanted[hit.row], abs=1e-5)
    with pytest.raises(InputError, match="this index has qa, summary, purpose"):
        index.search("word4", weights={"absent": 1})


def test_steering_equals_editing_the_vectors(index: Index) -> None:
    sae, rows = index.explainer.sae, np.arange(COUNT)
    query = index.query_vector("word1 word2 word3")[0]
    top = index.search("word1 word2 word3", 1)[0].explanation
    assert isinstance(top, Explanation)
    factors = {top.features[0].id: 0.0, 17: 2.5, 40: 1.0}
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
        assert top.features[0].id not in why.per_view["original"]
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
    terms = parse('+"Label 3" -#9 label^0.5', [f for f in index.explainer.features if f.id < 12])
    assert [(t.features, t.weight, t.must, t.must_not) for t in terms] == [
        ((3,), 1.0, True, False),
        ((9,), 1.0, False, True),
        ((1, 3, 5, 7, 9, 11), 0.5, False, False),
    ]
    for wrong, words in {
        '"x': "cannot read",
        "-#3": "at least one",
        "#999": "no feature 999",
        "zzz": "in its name",
    }.items():
        with pytest.raises(InputError, match=words):
            index.search(wrong, 3, "concept")


def test_searches_that_make_no_sense_are_refused(index: Index) -> None:
    for arguments, words in (
        ({"query": " "}, "empty"),
        ({"query": "x", "by": "magic"}, "choose one of"),
        ({"query": "x", "k": 0}, "at least one"),
        ({"query": "y" * 200_001}, "at most 200,000"),
        ({"query": "x", "by": "bm25", "weights": {"qa": 1}}, "do not go with"),
        ({"query": unit(2)}, "one at a time"),
        ({"query": unit(1), "by": "bm25"}, "needs words"),
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
        assert answer.change is not None
        assert answer.change.inside == (place < 10)
        if place < 10:
            assert answer.contrast is None
            assert answer.change.edge == pytest.approx(scores[order[10]], abs=1e-6)
        else:
            assert answer.over_rank == 10
            assert answer.contrast is not None
            assert answer.contrast.second_score == pytest.approx(scores[order[9]], abs=1e-6)
        assert answer.change.sentences()
        json.dumps(answer.to_dict(3))


def test_a_change_of_rank_is_one(index: Index) -> None:
    """The erased features take the document out of the top, the boost takes it in: scored again by hand."""
    from xetrieval.explain.projection import FeatureSets
    from xetrieval.intervene import erase

    query = "word1 word2 word3"
    q = index.query_vector(query)[0].astype(np.float64)
    first = index.search(query, 1)[0]
    change = index.why(query, first.id, k=3, counterfactual=True).change
    assert change is not None
    assert change.erased
    ids = np.array([i for i, _ in change.erased], np.int32)
    z = index.vectors(np.array([first.row]))
    assert float(erase(index.explainer.sae, z, FeatureSets.of([ids]))[0] @ q) < index.search(query, 4)[3].score
    boosted = 0
    for hit in index.search(query, 30)[5:]:
        change = index.why(query, hit.id, k=5, counterfactual=True).change
        assert change is not None
        if change.factor is None:
            assert "no factor up to" in change.sentences()[0]
            continue
        boosted += 1
        rows = np.array([hit.row])
        factors = dict.fromkeys(change.boosted, change.factor)
        moved = steered_vectors(index.explainer.sae, index.vectors(rows), index.codes(rows, "original"), factors)
        assert float(moved[0] @ q) == pytest.approx(change.score, abs=1e-6)
        assert float(moved[0] @ q) > change.edge
    assert boosted


def test_a_list_says_what_its_hits_share(index: Index) -> None:
    hits = index.search("word1 word2 word3", 8)
    shares = [{f.id: f.share for f in hit.explanation.features} for hit in hits]  # type: ignore[union-attr]
    listed = listing(index, hits, bad=[hits[0].id, hits[1].id])
    for row in (*listed.common, *listed.splitting, *listed.misleading):
        assert row.hits == sum(row.id in has for has in shares)
        assert row.mean == pytest.approx(np.mean([has.get(row.id, 0) for has in shares]))
        assert row.bad == pytest.approx(np.mean([has.get(row.id, 0) for has in shares[:2]]))
        assert row.good == pytest.approx(np.mean([has.get(row.id, 0) for has in shares[2:]]))
    assert all(row.bad > row.good for row in listed.misleading)
    assert listed.misleading
    with pytest.raises(InputError, match="none of the 8 hits"):
        listing(index, hits, good=["absent"])


# ---------------------------------------------------------------------- report and doctor


def test_a_report_counts_what_is_there(index: Index) -> None:
    from xetrieval.index.report import report

    found = report(index, topics=500)
    codes = index.codes(np.arange(COUNT), "original").dense(128)
    has = codes > 0
    common = has.sum(axis=0) >= max(20, 0.25 * COUNT)
    assert {j for j, _, _ in found.boilerplate} == set(np.flatnonzero(common).tolist())
    strongest = np.where(common, 0, codes).argmax(axis=1)
    assert {t.name: t.documents for t in found.topics} == {
        index.explainer.features[j].label or f"feature {j}": int((strongest == j).sum()) for j in np.unique(strongest)
    }
    assert found.silent == int((~has.any(axis=0)).sum())
    for twins in found.twins:
        a, b = has[:, twins.first], has[:, twins.second]
        assert (a & b).sum() / (a | b).sum() == pytest.approx(twins.jaccard, abs=1e-3)
    json.dumps(found.to_dict())


def test_a_hub_is_found_and_said_why(tmp_path: Path) -> None:
    """Documents scattered around one: it is the nearest of them all."""
    from xetrieval.index.report import report

    rng = np.random.default_rng(0)
    centre = unit(1, seed=1)[0]
    around = rng.standard_normal((300, 64)).astype(np.float32)
    z = np.concatenate([centre[None], 0.5 * centre + around / np.linalg.norm(around, axis=1, keepdims=True)])
    np.save(tmp_path / "v.npy", z)
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", SMALL)
    index = open_index(tmp_path / "index")
    hub = report(index).hubs[0]
    assert hub.id == "0"
    assert hub.found > 100
    assert hub.features
    shares = [
        {f.id: f.share for f in index.why(index.vectors(np.array([row]))[0], "0").explanation.features}  # type: ignore[union-attr]
        for row in range(1, 301)
        if 0 in {hit.row for hit in index.search(index.vectors(np.array([row]))[0], 11)}
    ]
    assert len(shares) == hub.found
    feature, _, mean = hub.features[0]
    assert np.mean([has.get(feature, 0.0) for has in shares]) == pytest.approx(mean, abs=1e-3)


def test_a_checkup_measures_and_advises(index: Index) -> None:
    from xetrieval.evaluate.doctor import advice, checkup

    z = index.vectors(np.arange(COUNT))
    back = index.explainer.sae.decode(index.codes(np.arange(COUNT), "original"))
    found = checkup(index)
    cosine = np.einsum("nm,nm->n", z, back) / np.linalg.norm(back, axis=1)
    assert found.cosine == pytest.approx(cosine.mean(), abs=1e-4)
    assert found.asked_are == "titles"
    assert "no figures to compare with" in found.advice[0]
    fine = replace(found, cosine_on_card=found.cosine + 0.01, remainder=0.1)
    assert advice(fine)[0].startswith("good enough")
    assert advice(replace(fine, cosine_on_card=found.cosine + 0.2))[0].startswith("refit")
    assert any("--chunk" in line for line in advice(replace(fine, unread_documents=0.3)))
    queries = ["word1 word2", "word3 word4", "word5"]
    best = [index.search(query, 1)[0].id for query in queries]
    worst = index.search(queries[2], COUNT)[-1].id
    judged = checkup(index, queries, [{best[0]: 1}, {best[1]: 1}, {worst: 1}])
    assert (judged.judged, judged.failed) == (3, 1)
    assert judged.failing[0].queries == ("word5",)
    wrong = index.search("word5", 3)
    mean = np.mean([{f.id: f.share for f in h.explanation.features}.get(judged.failing[0].feature, 0) for h in wrong])  # type: ignore[union-attr]
    assert judged.failing[0].mean_share == pytest.approx(mean, abs=1e-4)
    with pytest.raises(InputError, match="as many queries"):
        checkup(index, queries, [{}])
