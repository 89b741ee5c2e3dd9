"""Lines that carry little, and labels that do not hold, are one line; no figure loses them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_explainer

from xetrieval.encoders import HashingEncoder
from xetrieval.explain import Contrast, Explanation, Term, Words
from xetrieval.render.html import fragment_of
from xetrieval.render.markdown import markdown
from xetrieval.render.page import page
from xetrieval.render.rows import rows_of
from xetrieval.render.text import plain_text

DRAW = (plain_text, fragment_of, page, markdown)


def made(*shares: float, bias: float = 0.1, **more: object) -> Explanation:
    terms = tuple(Term("feature", j, f"label {j}", share, 0.5, {"original": 0.5}) for j, share in enumerate(shares))
    return replace(Explanation(bias + sum(shares), bias, 0.0, terms), **more)  # type: ignore[arg-type]


def names(result: Explanation | Contrast, top: int | None = None) -> list[str]:
    return [row.name for row in rows_of(result, top).rows if row.kind in ("feature", "others")]


def test_lines_of_less_than_a_tenth_are_one_line_with_their_sum() -> None:
    why = made(0.6, 0.3, 0.06, 0.05, -0.01)  # score - bias = 1
    assert why.weak_features == (2, 3, 4)
    assert names(why) == ["label 0", "label 1", "weak features (3)"]
    assert rows_of(why).rows[2].value == pytest.approx(0.1)
    assert sum(row.value for row in rows_of(why).rows) == pytest.approx(why.score)
    assert names(why, 3) == ["label 0", "label 1", "label 2", "2 more features"]
    assert names(why, 9) == [f"label {j}" for j in range(5)], "whoever asks for more lines gets them all"
    assert why.trusted().explained == pytest.approx(why.explained)
    record = why.to_dict()
    assert [term["feature_id"] for term in record["terms"]] == [0, 1, 2, 3, 4]
    assert record["weak_features"] == [2, 3, 4]


def test_a_large_negative_share_is_not_weak() -> None:
    assert names(made(0.9, -0.3, 0.01)) == ["label 0", "label 1", "weak features (1)"]
    assert names(made(0.6, 0.4)) == ["label 0", "label 1"], "no line for nothing"
    assert names(made(bias=0.1)) == []


def test_where_all_are_weak_the_two_largest_have_lines_and_a_note() -> None:
    why = made(0.01, 0.05, -0.04, 0.02, score=1.1, remainder=0.96)
    assert why.weak_features == (0, 3)
    assert names(why) == ["label 1", "label 2", "weak features (2)"]
    note = "each feature carries less than a tenth of (score - bias)"
    assert note in rows_of(why).notes
    assert note not in made(0.6, 0.01).notes
    assert note not in made().notes
    shown = why.trusted()
    assert shown.weak_features == ()
    assert shown.notes == why.notes
    contrast = Contrast(why, made(0.03, 0.05, -0.04, 0.02, score=1.1, remainder=0.94))
    assert contrast.weak_features == (2, 3), "the others differ most"
    assert names(contrast) == ["label 0", "label 1", "weak features (2)"]
    assert note in contrast.notes


def test_at_most_eight_lines_and_the_rest_is_not_called_weak() -> None:
    shares = [1.0, -0.9] * 6  # score - bias = 0.6
    assert made(*shares).weak_features == ()
    assert names(made(*shares))[-1] == "4 more features"


def test_a_label_that_does_not_hold_is_not_shown() -> None:
    why = made(0.6, 0.4)
    doubted = replace(why.terms[0], label_holds=False)
    alone = replace(why, terms=(doubted, why.terms[1]))
    assert names(alone) == ["label 1", "weak features (1)"], "nothing would say what it is"
    worded = replace(doubted, words=Words(("delete",), ("delete_account",)))
    shown = replace(why, terms=(worded, why.terms[1]))
    assert names(shown) == ["delete (word)", "label 1"]
    apart = replace(doubted, words=Words(("delete",), ("shutdown",)))
    assert names(replace(why, terms=(apart, why.terms[1]))) == ["label 1", "weak features (1)"], "no word is in both"
    for draw in DRAW:
        drawn = draw(shown).replace("\\", "")
        assert "delete ↔ delete_account" in drawn
        assert "(word): no name of the feature holds here" in drawn
        assert "label 0" not in drawn


def test_words_of_bm25_and_features_chosen_by_name_are_never_weak() -> None:
    words = tuple(Term("word", None, f'"{j}"', share) for j, share in enumerate((1.0, 0.01)))
    assert names_of_words(Explanation(1.01, 0.0, 0.0, words, mode="bm25")) == ['"0"', '"1"']
    assert made(1.0, 0.01, bias=0.0, mode="concept").weak_features == ()
    assert made(1.0, 0.01, bias=0.0, mode="sparse").weak_features == (1,)


def names_of_words(why: Explanation) -> list[str]:
    return [row.name for row in rows_of(why).rows if row.kind == "word"]


def test_a_contrast_hides_what_is_weak_in_both() -> None:
    both = Contrast(made(0.6, 0.3, 0.02, 0.08), made(0.0, 0.05, 0.09, 0.01))
    assert both.weak_features == (2, 3)
    assert names(both) == ["label 0", "label 1", "weak features (2)"]
    values = [row.values for row in rows_of(both).rows]
    assert np.allclose(np.sum(values, axis=0), (1.1, 0.25, 0.85))
    assert both.to_dict()["weak_features"] == [2, 3]
    assert len(both.to_dict()["first"]["terms"]) == 4


def test_a_threshold_of_the_feature_decides_whether_its_label_holds() -> None:
    base = random_explainer().with_encoder(HashingEncoder(64))
    query, document = "how do vaccines protect a child", "Vaccines protect a child and others."
    plain = base.explain(query, document)
    assert all(term.label_holds is None for term in plain.terms)
    assert "label_holds" not in plain.to_dict()["terms"][0]
    for threshold, holds in ((0.0, True), (9.0, False)):
        features = tuple(replace(feature, holds_from=threshold) for feature in base.features)
        explainer = replace(base, features=features)
        assert all(term.label_holds is holds for term in explainer.explain(query, document).terms)
        contrast = explainer.contrast(query, document, "Bread is made with yeast.")
        assert all(term.label_holds is holds for side in (contrast.first, contrast.second) for term in side.terms)
    assert all(name.endswith((" (unnamed)", " (word)")) for name in names(explainer.explain(query, document))[:-1])


def test_a_label_holds_where_both_texts_are_near_to_it() -> None:
    base = random_explainer().with_encoder(HashingEncoder(64))
    query, document = "how do vaccines protect a child", "Vaccines protect a child and others."
    features = tuple(replace(f, label="vaccines protect", near_from=0.3) for f in base.features)
    explainer = replace(base, features=features)
    assert all(term.label_holds for term in explainer.explain(query, document).terms)
    features = tuple(replace(f, label="bread and yeast", near_from=0.3) for f in base.features)
    far = replace(base, features=features)
    assert all(term.label_holds is False for term in far.explain(query, document).terms)
    both = replace(far, features=tuple(replace(f, holds_from=0.0, near_from=None) for f in features))
    assert all(term.label_holds for term in both.explain(query, document).terms)
    unread = replace(random_explainer(), features=features)  # whose encoder is not open
    vectors = HashingEncoder(64).encode_document([query, document])
    assert all(term.label_holds is None for term in unread.explain_vectors(vectors[:1], vectors[1:])[0].terms)


def test_words_of_both_texts_show_that_a_label_made_of_terms_holds() -> None:
    base = random_explainer().with_encoder(HashingEncoder(64))
    query, document, other = "how do vaccines protect a child", "A vaccine protects others.", "Bread and butter."

    def holds(label: str, holds_from: float, near_from: float, source: str = "uses") -> set[bool | None]:
        features = tuple(
            replace(f, label=label, source=source, holds_from=holds_from, near_from=near_from) for f in base.features
        )
        explainer = replace(base, features=features)
        found = {term.label_holds for term in explainer.explain(query, document).terms}
        assert {term.label_holds for term in explainer.contrast(query, document, other).first.terms} >= found
        return found

    assert holds("vaccine", 9.0, 2.0) == {True}  # both texts contain its stem, whatever the activation
    assert holds("dragons, vaccine", 9.0, 2.0) == {True}
    assert holds("child", 9.0, 2.0) == {False}  # one text alone
    assert holds("child", 0.0, 2.0) == {False}  # and active enough, but the other text is not near
    assert holds("child", 9.0, -1.0) == {True}  # the other text is near
    assert holds("yeast", 0.0, 2.0) == {False}  # neither, and far
    assert holds("yeast", 0.0, -2.0) == {True}
    assert holds("vaccine", 9.0, 2.0, "worksheet") == {False}  # what a person wrote need not be words of the texts
