"""What a feature is called in one explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from xetrieval.explain.contrast import Contrast
from xetrieval.explain.explanation import Explanation, Term
from xetrieval.explain.matching import Carrier, matching
from xetrieval.explain.naming import named
from xetrieval.explain.words import carriers
from xetrieval.features import Feature
from xetrieval.labels.card import search_features

QUERY, DOCUMENT = "Does coffee roasted at home taste better?", "Roasting your own coffee beans gives a fresh taste."


def names(
    *features: tuple[str | None, bool | None, tuple[str, ...]],
    shares: Sequence[float] = (),
    source: str = "uses",
    carried: Sequence[tuple[Sequence[str], Sequence[str]]] = (),
) -> list[str | None]:
    """What features (label, whether it holds, words) are called for the texts above."""
    table = [Feature(j, label, source, 0.1, words=words) for j, (label, _, words) in enumerate(features)]
    terms = [
        Term("feature", j, label, (*shares, *[0.2] * len(features))[j], label_holds=holds)
        for j, (label, holds, _) in enumerate(features)
    ]
    return [term.shown_label for term in named(terms, table, (QUERY, DOCUMENT), 0.1, carried)]


def test_a_label_that_both_texts_contain_is_the_name() -> None:
    assert names(("coffee", True, ("taste",))) == ["coffee"]
    assert names(("roast", False, ("taste",))) == ["roast"]  # by its stem


def test_else_the_first_word_that_both_texts_contain() -> None:
    assert names(("brewing", True, ("grinder", "taste", "coffee"))) == ["taste"]
    assert names(("beans", False, ("grinder", "roasting"))) == ["roasting"]
    assert names((None, None, ("taste",))) == ["taste"]


def test_a_word_of_another_feature_or_of_one_text_is_no_name() -> None:
    assert names(("brewing", False, ("beans", "home"))) == [None]
    assert names(("brewing", True, ("beans",))) == ["brewing"]
    assert names((None, None, ())) == [None]


def test_terms_that_neither_text_contains_are_left_out_of_a_label() -> None:
    assert names(("beans, chairs", True, ())) == ["beans"]
    assert names(("chairs, tables", True, ())) == ["chairs, tables"]
    assert names(("chairs, beans", False, ())) == [None]


def test_what_a_person_wrote_is_replaced_only_where_it_does_not_hold() -> None:
    assert names(("hot drinks", True, ("coffee",)), source="worksheet") == ["hot drinks"]
    assert names(("hot drinks", None, ("coffee",)), source="llm:m") == ["hot drinks"]
    assert names(("hot drinks", False, ("coffee",)), source="worksheet") == ["coffee"]


def test_a_name_is_one_of_the_words_that_carry_the_share() -> None:
    carried = [(("roast", "coffee"), ("roast", "bean"))]
    assert names(("coffee", True, ("taste", "roasting")), carried=carried) == ["roasting"]
    assert names(("taste", False, ("fresh",)), carried=carried) == [None]
    assert names(("coffee", True, ("taste",)), carried=carried) == ["coffee"]  # it holds
    assert names(("coffee", True, ("roasting",)), carried=[((), ())]) == ["coffee"]  # not known
    first, second = (None, None, ("roasting",)), ("coffee", True, ("roasting",))
    for one_side in ((("roast",), ()), ((), ("roast",))):  # the other is not known, which is no word for the label
        assert names(first, second, carried=[one_side] * 2) == ["roasting", "roasting"]
    assert names(first, second, carried=[(("roast", "coffee"), ())] * 2) == ["roasting", "coffee"]


def test_lines_have_different_names_where_they_can() -> None:
    brewing = ("brewing", False, ("coffee", "taste"))
    assert names(brewing, brewing) == ["coffee", "taste"]
    assert names(brewing, brewing, brewing) == ["coffee", "taste", "coffee"]
    assert names(brewing, ("coffee", True, ())) == ["taste", "coffee"]  # whose label it is
    assert names(brewing, ("coffee", True, ()), shares=(0.2, 0.05)) == ["coffee", "coffee"]  # the second has no line
    assert names(("coffee", True, ()), ("brewing", True, ("coffee",))) == ["coffee", "brewing"]


def test_without_texts_or_a_common_word_nothing_is_renamed() -> None:
    terms = [Term("feature", 0, "brewing", 0.2), Term("word", None, "coffee", 0.1)]
    table = [Feature(0, "brewing", "uses", 0.1, words=("coffee",))]
    for texts in (("", ""), ("coffee", "tea")):
        assert [replace(term, name_in=None) for term in named(terms, table, texts, 0.1)] == terms
    assert [term.name_here for term in named(terms, table, ("coffee", "coffee"), 0.1)] == ["coffee", None]


@pytest.mark.parametrize(
    ("label", "where"),
    [
        ("coffee", "both"),
        ("beans", "document"),
        ("home, chairs", "query"),
        ("chairs", "neither"),
        ("home, beans", "both"),  # each text contains one of them
        ("roasted nuts", "both"),  # a word of it
        ("tast", "both"),  # the beginning of one
    ],
)
def test_a_name_knows_which_texts_contain_it(label: str, where: str) -> None:
    term = Term("feature", 0, label, 0.2, label_holds=True)

    def name_in(source: str, texts: tuple[str, str] = (QUERY, DOCUMENT)) -> str | None:
        return named([term], [Feature(0, label, source, 0.1)], texts, 0.1)[0].name_in

    assert name_in("uses") == where
    assert name_in("uses", (QUERY, "")) is None
    assert name_in("worksheet") is None  # a person's label need not consist of words of the texts


def test_the_words_of_the_name_come_first() -> None:
    query, document = carriers(["home", "roasted"]), carriers(["home", "Roasting"])
    assert matching(query, document, set()) == (("home",), ("home",))
    assert matching(query, document, set(), {"roast"}) == (("roasted",), ("Roasting",))
    assert matching(query, document, set(), {"beer"}) == (("home",), ("home",))


def test_words_of_both_texts_come_before_those_of_one() -> None:
    vector = np.eye(2)
    fish, vitamin = (Carrier(key, key, 1.0, vector[0]) for key in ("fish", "vitamin"))
    assert matching([fish], [vitamin, fish], set(), {"vitamin"}) == (("fish",), ("fish", "vitamin"))


def test_else_a_name_that_carries_the_share_in_one_text() -> None:
    beans = ("beans", False, ("grinder", "fresh"))
    assert names(beans, carried=[(("coffee",), ("bean", "fresh"))]) == ["beans"]
    assert names(beans, carried=[(("coffee",), ("fresh",))]) == ["fresh"]
    assert names(beans, carried=[(("coffee",), ("gives",))]) == [None]  # other words carry it
    assert names(beans, carried=[(("bean",), ())]) == [None]  # the text without it
    assert names(beans) == [None]  # not known
    assert names(("beans, chairs", False, ()), carried=[((), ("bean",))]) == ["beans"]
    assert names(("b", None, ("x", "y", "z", "beans")), carried=[((), ("bean",))]) == ["b"]  # it may hold
    assert names((None, None, ("x", "y", "z", "beans")), carried=[((), ("bean",))]) == [None]  # not a strong one
    assert names(beans, ("beans", False, ()), carried=[((), ("bean",))] * 2) == ["beans", None]


def test_a_feature_is_found_by_its_other_names_as_well() -> None:
    table = [
        Feature(0, "brewing", "uses", 0.1, words=("coffee", "taste")),
        Feature(1, "coffee beans", "uses", 0.1),
        Feature(2, None, None, 0.1, words=("Coffee",)),
    ]
    assert [one.feature_id for one in search_features("coffee", table)] == [1, 0, 2]
    assert search_features("tea", table) == search_features("", table) == []


def test_a_feature_has_one_name_in_a_contrast() -> None:
    def side(score: float, **name: str | None) -> Explanation:
        return Explanation(score, 0.0, 0.0, (Term("feature", 0, "brewing", score, label_holds=False, **name),))

    for first, second in ((0.3, 0.2), (0.2, 0.3)):
        made = Contrast.of(side(first, name_here="coffee"), side(second))
        assert [term.shown_label for term in (*made.first.terms, *made.second.terms)] == ["coffee", "coffee"]
    made = Contrast.of(side(0.3, name_here="coffee"), side(0.4, name_here="taste"))
    assert [term.shown_label for term in (*made.first.terms, *made.second.terms)] == ["taste", "taste"]
    assert Contrast.of(side(0.3), side(0.4)).first.terms[0].shown_label is None
