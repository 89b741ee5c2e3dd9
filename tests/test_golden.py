"""What each output draws, byte by byte: tests/golden/. XETRIEVAL_GOLDEN=write writes the files again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xetrieval.explain import (
    Chunk,
    Contrast,
    Evidence,
    Explanation,
    PartWords,
    Reading,
    SentenceShare,
    Swap,
    Term,
    TextEvidence,
    TokenShare,
    Words,
)
from xetrieval.explain.counterfactual import Erase, NamedFeature
from xetrieval.render.html import fragment_of
from xetrieval.render.markdown import markdown
from xetrieval.render.page import page
from xetrieval.render.text import plain_text

GOLDEN = Path(__file__).parent / "golden"
QUERY, DOCUMENT = "how do vaccines work", "Vaccines train the immune system. Ice cream | is <cold>."
DRAW = {"text": plain_text, "html": fragment_of, "page.html": page, "markdown": markdown}


def evidence() -> TextEvidence:
    sentences = (
        SentenceShare(0, 33, DOCUMENT[:33], 0.25, 0.4, read=True),
        SentenceShare(34, 56, DOCUMENT[34:], 0.04, 0.0, read=True),
    )
    return TextEvidence("exact", sentences, (TokenShare(0, 8, 0.2), TokenShare(9, 14, 0.05)), constant=0.01)


def explanation() -> Explanation:
    views = {"original": 0.3, "qa": 0.0, "summary": 0.1, "purpose": 0.0}
    guess = TextEvidence("estimate", (SentenceShare(0, 20, QUERY, 0.3, 0.2, read=True),))
    return Explanation(
        score=0.52,
        bias=0.1,
        remainder=0.07,
        part_words=PartWords(remainder=Words(("work",), ("train",)), score=Words(("vaccines",), ("Vaccines",))),
        terms=(
            Term(
                *("feature", 3, "immune system", 0.3, 0.5, views),
                twins=(9,),
                name_in="document",
                words=Words(("vaccines",), ("Vaccines", "immune")),
                evidence=Evidence(evidence(), guess),
            ),
            Term(
                *("feature", 4, None, 0.1, 0.4, views | {"summary": 0.0}),
                corpus_words=("<ice>", "cream"),
                words=Words((), ("Ice", "<cold>")),
            ),
            Term("feature", 5, "cold & <ice>", -0.05, 0.2, views),
        ),
        doc_id="d1",
        query=QUERY,
        document=DOCUMENT,
        explainer="toy",
        encoder="hashing:64",
        read_document=Reading(3, 0, 10),
        document_read_to=33,
        per_view={"original": (3, 4, 5, 9), "qa": (), "summary": (3, 4, 5, 9), "purpose": ()},
        chunk=0,
        chunks=(Chunk(0, 33, 0.52), Chunk(34, 56, 0.11)),
    )


def bm25() -> Explanation:
    terms = (Term("word", None, '"vaccines"', 1.5), Term("word", None, '"work"', 0.25))
    return Explanation(1.75, 0.0, 0.0, terms, mode="bm25", query=QUERY, document=DOCUMENT)


def contrast() -> Contrast:
    def side(score: float, shares: tuple[float, float], active: float) -> Explanation:
        words = Words(("vaccines", "work"), ("Vaccines",) if active else ())
        terms = (
            Term("feature", 3, "immune system", shares[0], 0.5, {"original": active}, words=words),
            Term("feature", 4, None, shares[1], 0.4, {"original": 0.2}),
        )
        remainder = score - 0.1 - sum(shares)
        return Explanation(score, 0.1, remainder, terms, query=QUERY, document=DOCUMENT, explainer="toy", encoder="e")

    swap = Swap("first", 0.5, 0.3, Erase((NamedFeature(3, "immune system"),), 0.21, minimal=True), None, 2)
    return Contrast(side(0.5, (0.3, 0.05), 0.3), side(0.3, (0.0, 0.12), 0.0), swap)


def faint(shares: tuple[float, ...] = (0.03, 0.02, 0.01, -0.04)) -> Explanation:
    """No feature carries a tenth of the score."""
    words = Words(("vaccines",), ("Vaccines", "immune"))
    terms = tuple(
        Term("feature", j, None, share, 0.5, {"original": 0.3}, words=words) for j, share in enumerate(shares)
    )
    return Explanation(0.7, 0.1, 0.6 - sum(shares), terms, query=QUERY, document=DOCUMENT, explainer="toy", encoder="e")


def faint_contrast() -> Contrast:
    return Contrast(faint(), faint((-0.02, 0.02, 0.04, -0.04)))


@pytest.mark.parametrize("output", DRAW)
@pytest.mark.parametrize("result", [explanation, bm25, contrast, faint, faint_contrast])
def test_each_output_draws_what_it_drew(result, output: str) -> None:  # type: ignore[no-untyped-def]
    drawn = DRAW[output](result(), None if "faint" in result.__name__ else 2)
    path = GOLDEN / f"{result.__name__}.{output}"
    if os.environ.get("XETRIEVAL_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == drawn
