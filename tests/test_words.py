"""The words beside every line: those of both texts that carry its share, from one reading of each text."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, unit

from xetrieval.arrays import Float32, l2norm
from xetrieval.encoders import CachedEncoder, FunctionEncoder, HashingEncoder, Role, TokenVectors
from xetrieval.encoders.minilm import packaged
from xetrieval.encoders.token_cache import find_tokens, keep_tokens
from xetrieval.errors import DamagedError
from xetrieval.explain import Explainer, Term, Words
from xetrieval.explain.matching import Carrier, matching, root
from xetrieval.explain.words import carriers, carriers_of, key_of, word_at, word_parts
from xetrieval.render.markdown import markdown
from xetrieval.render.text import plain_text
from xetrieval.text import STOP_WORDS, fold

QUERY = "how do vaccines protect a child"
DOCUMENT = "Vaccines train the immune system. They protect a child, and the vaccine protects others. 漢字"


def toy() -> Explainer:
    return random_explainer().with_encoder(HashingEncoder(64))


def words_of(terms: Sequence[Term]) -> list[Words]:
    assert all(term.words is not None for term in terms)
    return [term.words for term in terms if term.words is not None]


def carried(words: list[str], parts: list[float]) -> tuple[str, ...]:
    return matching(carriers_of(words, np.array(parts)), [], set())[0]


def test_every_term_has_the_words_that_carry_its_share() -> None:
    explainer = toy()
    why = explainer.explain(QUERY, DOCUMENT)
    exact = explainer.with_evidence(why, top=None)
    for term, words in zip(exact.terms, words_of(why.terms), strict=True):
        assert term.evidence is not None
        for side, text, found in (
            (term.evidence.query, QUERY, words.query),
            (term.evidence.document, DOCUMENT, words.document),
        ):
            assert all(word in text for word in found)
            assert len(found) <= 3
            parts: dict[str, float] = {}
            for token in side.tokens:
                word = fold(text[token.start : token.end])
                if word.isalnum():
                    parts[word] = parts.get(word, 0.0) + (token.share if term.share > 0 else -token.share)
            content = {word: part for word, part in parts.items() if word not in STOP_WORDS and len(word) > 1}
            best = max(content, key=lambda word: content[word])
            for word in map(fold, found):
                if word in content:
                    assert content[word] >= content[best] / 4
                else:
                    assert parts[word] > 2 * content[best]


def test_the_strongest_words_come_once_and_stop_words_last() -> None:
    assert carried(["the", "accounts", "Account", ",", "delete"], [0.5, 0.1, 0.2, 0.8, 0.25]) == ("Account", "delete")
    assert carried(["how", "?"], [0.1, 0.5]) == ("how",)
    assert carried(["how", "?"], [-0.1, 0.5]) == ("?",)
    assert carried(["bread"], [-0.1]) == ()
    assert carried(["a", "b1", "yeast", "oven", "bread"], [0, 0.4, 0.5, 0.3, 0.45]) == ("yeast", "bread", "b1")
    assert carried(["yeast", "oven"], [0.9, 0.1]) == ("yeast",), "a word of a ninth of the share says little"
    assert carried(["x" * 50], [1.0])[0].endswith("…")


def test_a_stop_word_that_carries_far_more_than_any_other_word_is_shown() -> None:
    assert carried(["versus", "cats", "dogs"], [0.61, 0.3, 0.2]) == ("versus", "cats", "dogs")
    assert carried(["versus", "cats", "dogs"], [0.59, 0.3, 0.2]) == ("cats", "dogs")
    assert carried(["how", "why", "x1", "x2", "x3"], [0.9, 0.8, 0.1, 0.1, 0.1]) == ("how", "x1", "x2")
    assert carried(["!", "cat"], [0.9, 0.1]) == ("cat",)


def test_quotes_and_hyphens_around_a_word_do_not_hide_that_it_is_a_stop_word() -> None:
    assert carried(["to'", "should’", "pre-", "tax"], [0.3, 0.3, 0.2, 0.25]) == ("tax", "pre")
    assert carried(["cats'", "cat"], [0.2, 0.1]) == ("cats",), "one word"
    assert carried(["C++", "c#"], [0.2, 0.2]) == ("C++", "c#")


def test_markup_is_not_a_word_with_a_meaning() -> None:
    text = "see https://www.example.org and \\frac{speed}{2}"
    spans = [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]
    places, _ = word_parts(text, spans, np.ones((1, len(spans))))
    names = [word_at(text, place) for place in places]
    assert "\\frac" in names
    assert carried(names, [1.0] * len(names)) == ("example", "speed", "2")


def carrier(word: str, part: float, vector: Sequence[float] | None = None) -> Carrier:
    return Carrier(key_of(word), word, part, None if vector is None else l2norm(np.array(vector, np.float64)))


def test_the_words_of_a_line_are_those_that_match_between_the_texts() -> None:
    query = [carrier("ratings", 1.0, (1, 0, 0)), carrier("wine", 0.8, (0, 1, 0)), carrier("grape", 0.5, (0.2, 1, 0))]
    document = [carrier("Masters", 1.0, (0, 0, 1)), carrier("Sommelier", 0.9, (0, 1, 1)), carrier("wines", 0.4)]
    assert matching(query, document[:2], set()) == (("wine", "grape"), ("Sommelier",))
    assert matching(query, document, set()) == (("wine", "grape"), ("Sommelier", "wines"))
    assert matching(query[1:2], [document[0], document[2]], set()) == (("wine",), ("wines",)), "two forms of one word"
    assert matching(query, document[:1], set()) == (("ratings", "wine", "grape"), ("Masters",)), "nothing matches"


def test_two_lines_show_the_same_words_only_where_no_others_match() -> None:
    query = [carrier("sort", 1.0), carrier("keys", 0.6)]
    document = [carrier("sorted", 1.0), carrier("key", 0.6)]
    seen: set[tuple[str, str]] = set()
    lines = [matching(query, document, seen) for _ in range(3)]
    assert lines[:2] == [(("sort",), ("sorted",)), (("keys",), ("key",))]
    assert lines[2] == lines[0]


@pytest.mark.parametrize(
    ("query", "document", "word"),
    [
        ("surveys", "Survey", "Survey"),
        ("copied", "copy", "copy"),
        ("panicprone", "panic", "panic"),
        ("memory", "shared_memory", "memory"),
        ("T-cells", "T", None),
        ("bytes", "hexadecimal", None),
        ("car", "carbon", None),
        ("or", "or", "or"),
    ],
)
def test_a_word_of_both_texts_may_be_a_part_of_another(query: str, document: str, word: str | None) -> None:
    assert Words(("first", query), (document, "second")).shared == word
    assert Words((), (document,)).shared is None


def test_sums_without_a_line_of_their_own_have_words_that_match() -> None:
    made = toy().explain(QUERY, DOCUMENT)
    assert made.part_words is not None
    assert made.part_words.score is not None
    assert made.part_words.score.shared in ("vaccines", "protect", "child")
    small = [part for part in (made.remainder, sum(t.share for t in made.terms)) if abs(part) < made.least_share]
    assert (made.part_words.remainder is None) == (abs(made.remainder) < made.least_share), small
    hidden = sum(term.share for term in made.terms if term.feature_id in made.weak_features)
    assert (made.part_words.weak_features is None) == (abs(hidden) < made.least_share or not made.weak_features)
    assert made.to_dict()["part_words"]["score"]["query"]


def test_stored_words_match_by_their_stems() -> None:
    assert matching(carriers(["stop", "thread"]), carriers(["timeout", "threading"]), set()) == (
        ("thread",),
        ("threading",),
    )
    assert matching(carriers(["stop"]), carriers(["timeout", "wait"]), set()) == (("stop",), ("timeout", "wait"))
    assert [*map(root, ("parsing", "parses", "string", "exceptions", "copied", "measurement", "measure"))] == [
        *("pars", "pars", "string", "except", "copy", "measur", "measur")
    ]


def test_a_line_shows_one_form_of_a_word_on_each_side() -> None:
    forms = [carrier("measurement", 1.0), carrier("measure", 0.8), carrier("ruler", 0.6), carrier("measuring", 0.5)]
    assert matching([carrier("measured", 1.0)], forms, set()) == (("measured",), ("measurement",))
    assert matching([carrier("length", 1.0)], forms, set()) == (("length",), ("measurement", "ruler"))


def test_words_beside_the_matching_pair_are_similar_to_it() -> None:
    query, document = [carrier("wine", 1.0, (0, 1, 0))], [carrier("wines", 1.0, (0, 1, 0))]
    for cosine, expected in ((0.54, ("wines",)), (0.56, ("wines", "cellar"))):
        other = carrier("cellar", 0.9, (0, cosine, (1 - cosine**2) ** 0.5))
        assert matching(query, [*document, other], set())[1] == expected


def test_tokens_are_joined_to_words_of_any_script() -> None:
    text = "delete_account isn't C++ self-help 漢字 ไทย"
    spans = [(0, 6), (6, 7), (7, 14), (15, 17), (17, 18), (18, 20), (21, 22), (22, 23), (23, 24), (25, 29), (29, 34)]
    spans += [(35, 36), (36, 37), (38, 41)]
    places, parts = word_parts(text, spans, np.ones((2, len(spans))))
    assert [text[a:b] for a, b in places] == ["delete_account", "isn't", "C++", "self-help", "漢", "字", "ไทย"]
    assert parts.tolist() == [[3, 3, 3, 2, 1, 1, 1]] * 2
    spaced = [(max(0, start - 1), end) for start, end in spans]  # some tokenizers include the space before
    assert [text[a:b] for a, b in word_parts(text, spaced, np.ones((1, len(spans))))[0]][:2] == [
        "delete_account",
        "isn't",
    ]


def test_each_text_is_read_once() -> None:
    class Counting(HashingEncoder):
        calls: list[str]

        def token_vectors(self, text: str, role: Role) -> TokenVectors:
            self.calls.append(text)
            return super().token_vectors(text, role)

        def _encode(self, texts: list[str], role: Role) -> Float32:
            self.calls += texts
            return super()._encode(texts, role)

    encoder = Counting(64)
    encoder.calls = []
    random_explainer().with_encoder(encoder).explain(QUERY, DOCUMENT)
    assert sorted(encoder.calls) == sorted([QUERY, DOCUMENT] * 2), "a vector and the tokens; no sentence, no rest"


def test_an_encoder_without_tokens_gets_no_further_text() -> None:
    hashing, asked = HashingEncoder(64), []

    def paid(texts: Sequence[str]) -> Float32:
        asked.extend(texts)
        return hashing.encode_document(texts)

    blind = FunctionEncoder(paid, name="paid", version="1")
    base = random_explainer()
    explainer = Explainer("paid", blind.identity, base.sae, base.internalizers, base.features, cache=False)
    asked.clear()
    why = explainer.with_encoder(blind).explain(QUERY, DOCUMENT)
    assert sorted(asked) == sorted([QUERY, DOCUMENT])
    assert why.terms
    assert all(term.words is None for term in why.terms)
    assert "↔" not in plain_text(why)
    assert "words" not in why.to_dict()["terms"][0]


def test_words_are_estimated_by_leaving_out_where_evidence_is_requested() -> None:
    hashing, base = HashingEncoder(64), random_explainer()
    blind = FunctionEncoder(hashing.encode_document, name="blind", version="1")
    explainer = Explainer("blind", blind.identity, base.sae, base.internalizers, base.features, cache=False)
    explainer = explainer.with_encoder(blind)
    made = explainer.with_evidence(explainer.explain(QUERY, DOCUMENT))
    exact = toy().explain(QUERY, DOCUMENT)
    pairs = list(zip(words_of(made.terms), words_of(exact.terms), strict=True))
    assert all(len(one.query) <= 3 and set(one.document) <= set(re.findall(r"\w+", DOCUMENT)) for one, _ in pairs)
    same = [one.document[:1] == other.document[:1] for one, other in pairs]
    assert sum(same) > len(same) / 2, "leaving out mostly finds the same strongest word"
    alone = explainer.with_evidence(explainer.explain("vaccines", "the"))
    assert all(term.words is None for term in alone.terms), "nothing is left to encode"
    contrast = explainer.with_evidence(explainer.contrast(QUERY, DOCUMENT, "A child eats ice cream."))
    assert words_of(contrast.second.terms)


def test_tokens_that_do_not_add_up_give_no_words() -> None:

    class Wrong(HashingEncoder):
        def token_vectors(self, text: str, role: Role) -> TokenVectors:
            _, spans, kinds = super().token_vectors(text, role)
            return TokenVectors(l2norm(unit(len(spans))), spans, kinds)

    why = random_explainer().with_encoder(Wrong(64)).explain(QUERY, DOCUMENT)
    assert all(term.words is None for term in why.terms)


def test_a_contrast_has_the_words_of_both_documents() -> None:
    made = toy().contrast(QUERY, DOCUMENT, "A child eats ice cream.")
    found = {word for words in words_of(made.second.terms) for word in words.document}
    assert found <= {"A", "child", "eats", "ice", "cream"}
    assert "query ↔ document 1 / 2" in plain_text(made)
    assert " / " in markdown(made)


def test_what_has_no_text_has_no_words() -> None:
    explainer = toy()
    assert all(term.words is None for term in explainer.explain_vectors(unit(1), unit(1, seed=1))[0].terms)
    assert all(term.words is None for term in explainer.explain_pairs([QUERY], [DOCUMENT])[0].terms)


def test_tokens_of_the_last_texts_are_kept_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Once(HashingEncoder):
        def token_vectors(self, text: str, role: Role) -> TokenVectors:
            assert (text, role) not in seen, "the model would have been loaded for this"
            seen.append((text, role))
            return super().token_vectors(text, role)

    seen: list[tuple[str, Role]] = []
    first, again = (
        random_explainer().with_encoder(CachedEncoder(Once(64), tmp_path)).explain(QUERY, DOCUMENT) for _ in range(2)
    )
    assert len(seen) == 2
    assert first == again == toy().explain(QUERY, DOCUMENT)
    monkeypatch.setattr("xetrieval.encoders.token_cache.MOST_TEXTS", 3)
    for number in range(6):
        CachedEncoder(HashingEncoder(64), tmp_path).token_vectors(f"text {number}", "query")
    files = sorted(tmp_path.glob("*.tokens.sqlite"))
    assert len(files) == 2
    kept = [find_tokens(path, f"text {number}")[0] for path in files for number in range(6)]
    assert sum(kept) == 3
    unread = CachedEncoder(HashingEncoder(64), tmp_path / "none", grows=False)
    assert unread.token_vectors("text", "query") is not None
    assert not list((tmp_path / "none").glob("*.tokens.sqlite"))
    path = next(path for path in files if find_tokens(path, "text 5")[0])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE tokens SET vectors = zeroblob(length(vectors))")
    with pytest.raises(DamagedError, match="the cache of tokens is damaged; delete it"):
        find_tokens(path, "text 5")
    assert find_tokens(tmp_path / "absent.sqlite", "text") == (False, None)
    keep_tokens(tmp_path / "new.sqlite", "text", None)
    assert find_tokens(tmp_path / "new.sqlite", "text") == (True, None)


@pytest.mark.slow
def test_minilm_reads_vector_and_tokens_at_once(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers")
    if packaged() is None:
        pytest.skip("the packaged MiniLM is not installed")
    import xetrieval

    explainer = xetrieval.load("minilm", cache=str(tmp_path))
    encoder = explainer.encoder
    assert isinstance(encoder, CachedEncoder)
    inner = encoder.encoder
    why = explainer.explain("how do I delete my account", "Press Delete account, or call delete_account.")
    passes = []
    monkeypatch.setattr(type(explainer), "label_vectors", lambda *_: {})  # labels are read too, once each
    real = inner._model[0].forward  # type: ignore[attr-defined]
    inner._model[0].forward = lambda *given, **options: passes.append(1) or real(*given, **options)  # type: ignore
    text = "Close your profile for ever."
    other = explainer.explain("how do I close my profile", text)
    assert len(passes) == 2, "one pass for each text"
    many = inner.encode_document([text, *(f"text {i}" for i in range(6))])  # type: ignore[attr-defined]
    assert np.allclose(inner.encode_document([text])[0], many[0], atol=2e-6)  # type: ignore[attr-defined]
    assert any("delete" in words.query for words in words_of(why.terms))
    assert any("delete_account" in words.document for words in words_of(why.terms))
    assert other.terms


def test_stop_words_whose_ending_is_folded_are_stop_words() -> None:
    assert carried(["does", "memory"], [0.19, 0.1]) == ("memory",)
