"""Says in words how well an explainer's features fit a corpus."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Word = Literal["good here", "partly", "not made for this"]

GOOD: Final[Word] = "good here"

# The worst figures of autoencoders trained on their own corpus: eight corpora of 150 to 6,000 passages
# (docs/decisions.md)
GOOD_EXPLAINED: Final = 0.75
GOOD_MARGIN: Final = 0.30
PARTLY_EXPLAINED: Final = 0.50
PARTLY_MARGIN: Final = 0.15


class Level(NamedTuple):
    """What it means if features explain at least this much of one score without its bias."""

    least: float
    word: str
    advice: str


LEVELS: Final = (  # with the same limits for one score
    Level(GOOD_EXPLAINED, "well explained", "the features carry most of this score"),
    Level(PARTLY_EXPLAINED, "partly explained", "features carry only a part of this score: look at the remainder too"),
    Level(0.0, "do not trust", "most of this score is unexplained: read the document, not its features"),
)


class Verdict(NamedTuple):
    """A verdict in one word, and the figures behind it with their limits."""

    word: Word
    why: str


def verdict(explained: float, untrained: float) -> Verdict:
    """Judge how much of the scores features explain, compared with untrained directions."""
    margin = explained - untrained
    if explained >= GOOD_EXPLAINED and margin >= GOOD_MARGIN:
        word: Word = GOOD
        limits = (GOOD_EXPLAINED, GOOD_MARGIN)
    else:
        limits = (PARTLY_EXPLAINED, PARTLY_MARGIN)
        word = "partly" if explained >= PARTLY_EXPLAINED and margin >= PARTLY_MARGIN else "not made for this"
    needed = "needs" if word == "not made for this" else "from"
    least = f"{'partly' if needed == 'needs' else word} {needed} {limits[0]:.2f} and {limits[1]:.2f}"
    return Verdict(
        word,
        f"features explain {explained:.2f} of the scores without the bias, {margin:.2f} more than untrained directions "
        f"({least})",
    )
