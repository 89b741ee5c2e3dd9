"""Where a feature's share comes from: the sentences and words of the document and of the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .records import EvidenceRecord, TextEvidenceRecord

Method = Literal["exact", "estimate"]


@dataclass(frozen=True)
class TokenShare:
    """text[start:end], one token, and its part of a feature's share."""

    start: int
    end: int
    share: float


@dataclass(frozen=True)
class SentenceShare:
    """text[start:end], its part of a feature's share, and what the feature makes of it alone."""

    start: int
    end: int
    text: str
    share: float  # exact: the sum of its tokens. estimate: what the share loses without the sentence
    activation: float  # of the feature on the sentence's own vector, as a second opinion; 0 where it is silent
    read: bool  # False: past the encoder's limit


@dataclass(frozen=True)
class TextEvidence:
    """One side of a feature. Where `method` is exact, share = sentences + special + prompt + constant + rounding."""

    method: Method
    sentences: tuple[SentenceShare, ...]  # in the order of the text
    tokens: tuple[TokenShare, ...] = ()  # those of the text; none where `method` is estimate
    special: float = 0.0  # tokens that the model adds
    prompt: float = 0.0  # tokens of the encoder's prompt
    constant: float = 0.0  # -<p_j, b><q, w_j>, which is of no token
    rounding: float = 0.0  # between this reading of the text and the one that was ranked

    @property
    def strongest(self) -> tuple[SentenceShare, ...]:
        """The sentences that were read, by signed share, largest first."""
        return tuple(sorted((s for s in self.sentences if s.read), key=lambda s: -s.share))

    def to_dict(self) -> TextEvidenceRecord:
        """As JSON holds it."""
        record: TextEvidenceRecord = {
            "method": self.method,
            "sentences": [
                {
                    "start": s.start,
                    "end": s.end,
                    "text": s.text,
                    "share": s.share,
                    "activation": s.activation,
                    "read": s.read,
                }
                for s in self.sentences
            ],
        }
        if self.method == "exact":
            record["tokens"] = [{"start": t.start, "end": t.end, "share": t.share} for t in self.tokens]
            record["special"], record["prompt"] = self.special, self.prompt
            record["constant"], record["rounding"] = self.constant, self.rounding
        return record


@dataclass(frozen=True)
class FeatureEvidence:
    """Both sides of one feature. Each side splits the same share."""

    feature_id: int
    document: TextEvidence
    query: TextEvidence


@dataclass(frozen=True)
class Evidence:
    """Evidence for the shown features of one explanation."""

    features: tuple[FeatureEvidence, ...]
    query_read_to: int | None = None  # characters of the query that the encoder read; None: all, or not known
    document_read_to: int | None = None

    def of(self, feature_id: int) -> FeatureEvidence | None:
        """The evidence of one feature, if it is there."""
        return next((f for f in self.features if f.feature_id == feature_id), None)

    def to_dict(self) -> EvidenceRecord:
        """As JSON holds it."""
        return {
            "query_read_to": self.query_read_to,
            "document_read_to": self.document_read_to,
            "features": [
                {"feature_id": f.feature_id, "document": f.document.to_dict(), "query": f.query.to_dict()}
                for f in self.features
            ],
        }


def words(tokens: tuple[TokenShare, ...], text: str) -> list[tuple[str, float]]:
    """Tokens joined to words: pieces that touch, with a letter or digit on either side of the seam."""
    out: list[tuple[int, int, float]] = []
    for token in tokens:
        if out and token.start <= out[-1][1] and text[max(0, out[-1][1] - 1)].isalnum() and text[token.start].isalnum():
            out[-1] = (out[-1][0], max(token.end, out[-1][1]), out[-1][2] + token.share)
        else:
            out.append((token.start, token.end, token.share))
    return [(text[start:end], share) for start, end, share in out]
