"""What a person sees: aligned, adding up, and safe against the text in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from conftest import random_explainer

from xetrieval.encoders import HashingEncoder
from xetrieval.explain import Contrast, Explanation, PartWords, Reading, Term, Words
from xetrieval.explain.explanation import SPREAD
from xetrieval.render.fitted import bar
from xetrieval.render.markdown import markdown
from xetrieval.render.page import page
from xetrieval.render.rows import WORD, rows_of
from xetrieval.render.text import plain_text
from xetrieval.text import printable

HOSTILE = '<script>alert(1)</script>\x1b[31mred\x1b[0m\u202ereversed & "quoted"\nsecond line'


def hostile() -> Explanation:
    views = {"original": 0.2, "qa": 0.0, "summary": 0.1, "purpose": 0.0}
    features = (
        Term("feature", 3, HOSTILE, 0.30, 0.5, views),
        Term("feature", 4, None, 0.20, 0.5, views),
        Term("feature", 5, "below zero", -0.10, 0.5, views),
    )
    per_view = {"original": (3, 4, 5), "qa": (), "summary": (3, 4, 5), "purpose": ()}
    return Explanation(0.6, 0.05, 0.15, features, per_view=per_view, read_document=Reading(57))


def test_the_lines_of_the_table_add_up_to_the_score() -> None:
    for count in (0, 1, 2, 9):
        text = plain_text(hostile(), count)
        *parts, score = [float(number) for number in re.findall(r"[+-]\d\.\d{4}", text)]
        assert abs(sum(parts) - score) < 3e-4
        assert "remainder" in text
        assert "57 tokens of the document" in text


def test_the_terminal_never_sees_control_characters() -> None:
    text = str(hostile())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert printable("a\tb\r\nc\x00d") == "a b cd"


def test_the_notebook_form_escapes_everything() -> None:
    html = hostile()._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "+0.6000" in html


def test_unnamed_features_are_shown_by_their_number() -> None:
    assert "feature 4" in str(hostile())


def test_a_feature_without_a_label_that_holds_is_shown_by_the_words_of_its_corpus() -> None:
    term = Term(
        "feature", 4, "kidneys", 0.3, label_holds=False, corpus_words=("diet", "<salt>"), words=Words(("a",), ())
    )
    why = Explanation(0.3, 0.0, 0.0, (term,))
    assert str(why).splitlines()[1].startswith("unnamed: diet, <salt>  ")
    assert "unnamed: no label holds for these texts" in str(why)
    assert "unnamed: diet, &lt;salt&gt;" in why._repr_html_()
    assert "unnamed: diet, &lt;salt&gt;" in markdown(why)
    written = why.to_dict()["terms"][0]
    assert (written["label"], written["label_holds"], written["corpus_words"]) == ("kidneys", False, ["diet", "<salt>"])
    held = replace(why, terms=(replace(term, label_holds=True),))
    assert "kidneys" in str(held)
    assert "diet" not in str(held)


def test_a_name_says_which_text_lacks_it() -> None:
    words = Words(("autism",), ("vaccines", "autistic"))
    term = Term("feature", 4, "children", 0.3, corpus_words=("child",), name_in="document", words=words)
    for name_in, mark in (
        (None, ""),
        ("both", ""),
        ("query", "(query)"),
        ("document", "(document)"),
        ("neither", "(neither)"),
    ):
        why = Explanation(0.3, 0.0, 0.0, (replace(term, name_in=name_in),))
        assert str(why).splitlines()[1].startswith(f"children {mark}".strip() + "  "), name_in
        for drawn in (str(why), why._repr_html_(), markdown(why).replace("\\", "")):
            assert (": the name is a word of" in drawn) == bool(mark)
            assert f"{mark}: the name is a word of" in drawn or not mark


def test_a_name_of_neither_text_gives_way_to_a_word_of_both() -> None:
    words = Words(("thimerosal",), ("vaccines", "Thimerosal"))
    term = Term("feature", 4, "disease", 0.3, label_holds=True, name_in="neither", words=words)
    why = Explanation(0.3, 0.0, 0.0, (term,))
    assert (term.shown_label, replace(term, words=Words(("a",), ("b",))).shown_label) == (None, "disease")
    assert str(why).splitlines()[1].startswith("thimerosal (word)  ")
    assert why.to_dict()["terms"][0]["words"]["shared"] == "thimerosal"
    assert rows_of(why).marks == (WORD,)


def test_sums_have_the_words_that_carry_them() -> None:
    terms = tuple(Term("feature", j, f"label {j}", share, words=Words((), ())) for j, share in enumerate((0.3, 0.01)))
    parts = PartWords(Words(("a",), ("weak",)), Words(("b",), ("rest",)), Words(("c",), ("all",)))
    why = Explanation(0.5, 0.1, 0.09, terms, part_words=parts)
    beside = {row.name: row.words for row in (*rows_of(why).rows, rows_of(why).score)}
    assert beside["weak features (1)"] == "a ↔ weak"
    assert beside["remainder (not explained)"] == "b ↔ rest"
    assert beside["score"] == "c ↔ all"
    assert beside["bias (the same for any document)"] == ""
    for drawn in (str(why), why._repr_html_(), markdown(why)):
        assert all(words in drawn for words in ("a ↔ weak", "b ↔ rest", "c ↔ all"))
    assert rows_of(why.top(1)).rows[1].words == "", "one more feature is not the weak features"
    assert SPREAD not in why.notes
    assert SPREAD in replace(why, score=0.9, remainder=0.49).notes


def test_views_have_a_column_with_a_legend_only_where_they_differ() -> None:
    both, one = ({"original": 0.2, "summary": summary} for summary in (0.1, 0.0))
    terms = [Term("feature", j, f"label {j}", 0.2, 0.2, views) for j, views in enumerate((both, both, one))]
    per_view = {"original": (0, 1, 2), "summary": (0, 1)}
    alike, apart = (Explanation(0.2 * n, 0.0, 0.0, tuple(terms[:n]), per_view=per_view) for n in (2, 3))
    assert "views" not in str(alike)
    assert "views: o its own vector, s predicted summary" in str(apart)
    assert [line.split()[2] for line in str(apart).splitlines()[1:4]] == ["os", "os", "o·"]
    assert "views" not in alike._repr_html_() + markdown(alike)
    assert "original, summary" in apart._repr_html_()


def test_more_than_the_whole_score_is_explained_in_words() -> None:
    terms = (Term("feature", 1, "one", 0.4, 0.2, {}),)
    over = Explanation(0.5, 0.104, -0.004, terms)
    assert "explained 101% (the parts exceed the score by 0.0040), without bias 80%" in str(over)
    assert over.to_dict()["explained"] == over.explained == pytest.approx(1.008)
    assert "explained 100%, without bias 80%" in str(Explanation(0.5, 0.102, -0.002, terms))


def test_bars_grow_with_the_share() -> None:
    lengths = [len(bar(fraction)) for fraction in (0.0, 0.25, 0.5, 1.0, 2.0)]
    assert lengths == sorted(lengths)
    assert lengths[0] == 0
    assert bar(-0.5) == bar(0.5)


def test_a_real_explanation_prints_itself_and_converts() -> None:
    explanation = random_explainer().explain("red apple", "an apple is a red fruit")
    assert "score" in str(explanation)
    assert explanation.to_dict()["score"] == explanation.score


def test_a_score_of_zero_has_no_fractions_and_no_nan_in_json() -> None:
    zero = Explanation(0.0, 0.1, -0.1, (), per_view={"original": (), "qa": (), "summary": (), "purpose": ()})
    assert zero.explained is None
    assert json.loads(json.dumps(zero.to_dict(), allow_nan=False))["explained"] is None
    assert "too close to zero" in str(zero)
    assert "too close to zero" in zero._repr_html_()


@pytest.mark.parametrize("kind", ["explanation", "contrast"])
def test_the_page_needs_no_network_and_runs_nothing(kind: str) -> None:
    explainer = random_explainer().with_encoder(HashingEncoder(64))
    shown: Explanation | Contrast = (
        explainer.with_evidence(explainer.explain(HOSTILE, HOSTILE), 3)
        if kind == "explanation"
        else explainer.contrast(HOSTILE, HOSTILE, "second line", counterfactual=True)
    )
    html = page(shown, 3)
    tags = {tag for tag, _ in tags_of(html)}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    for _, attributes in tags_of(html):
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "action")]
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", html)
    assert html.count("<main>") == html.count("</main>") == 1


def test_the_page_and_the_terminal_say_the_same_numbers() -> None:
    explainer = random_explainer().with_encoder(HashingEncoder(64))
    for shown in (
        explainer.explain("how do birds fly", "Birds fly with wings."),
        explainer.contrast("how do birds fly", "Birds fly with wings.", "Fish swim with fins."),
    ):
        text = set(re.findall(r"[+-]\d\.\d{4}", plain_text(shown, 4)))
        assert text <= set(re.findall(r"[+-]\d\.\d{4}", page(shown, 4)))
        assert len(text) > 4


def test_the_strip_is_as_wide_as_what_it_shows() -> None:
    html = page(hostile(), 9)
    strips = html.split('<div class="strip">')[1:]
    widths = [sum(float(w) for w in re.findall(r"width:([\d.]+)%", strip.split("<h2>")[0])) for strip in strips]
    assert widths == [pytest.approx(100, abs=0.1), pytest.approx(100 * 0.10 / 0.70, abs=0.1)]
    assert "0.7000 − 0.1000 = +0.6000" in html


def tags_of(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every opening tag with its attributes, as a browser would read it."""
    found: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Reader().feed(html)
    return found


@pytest.mark.parametrize("width", [16, 20, 24, 30])
def test_no_figure_is_broken_on_a_narrow_terminal(width: int) -> None:
    words = Words(("word2", "word3"), ("word1", "word12", "word56"))
    long = replace(hostile(), terms=tuple(replace(term, words=words) for term in hostile().terms))
    other = replace(long, bias=0.0, remainder=0.2)
    for result in (hostile(), long, Contrast(hostile(), hostile()), Contrast(long, other)):
        text = plain_text(result, None, width)
        assert not re.search(r"(^| )[+-](\d?|\d\.\d{0,3})$", text, re.MULTILINE)
        assert "+0.6000" in text
