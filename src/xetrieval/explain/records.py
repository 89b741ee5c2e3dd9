"""Explanations as JSON holds them: what `to_dict` returns, and with that the schema of the API and of the page."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class FeatureRecord(TypedDict):
    """One shared feature: the release's entry, extended."""

    feature_id: int
    hypothesis: str | None
    share: float
    query_activation: float
    view_activations: dict[str, float]
    twins: NotRequired[list[int]]


class OthersRecord(TypedDict):
    """What is not shown, summed."""

    count: int
    share: float


class UnreadRecord(TypedDict):
    """Tokens past the encoder's limit."""

    query: int
    document: int


class CountedRecord(TypedDict):
    """Tokens of a text; null where the encoder cannot count them."""

    query: int | None
    document: int | None


class ChunkRecord(TypedDict):
    """document[start:end], and its score."""

    start: int
    end: int
    score: float


class SentenceRecord(TypedDict):
    """A sentence's part of a share, and its own activation of the feature."""

    start: int
    end: int
    text: str
    share: float
    activation: float
    read: bool


class TokenRecord(TypedDict):
    """A token's part of a share."""

    start: int
    end: int
    share: float


class TextEvidenceRecord(TypedDict):
    """Where a share comes from in one text."""

    method: Literal["exact", "estimate"]
    sentences: list[SentenceRecord]
    tokens: NotRequired[list[TokenRecord]]
    special: NotRequired[float]
    prompt: NotRequired[float]
    constant: NotRequired[float]
    rounding: NotRequired[float]


class FeatureEvidenceRecord(TypedDict):
    """Both sides of one feature."""

    feature_id: int
    document: TextEvidenceRecord
    query: TextEvidenceRecord


class EvidenceRecord(TypedDict):
    """Of all shown features; where reading ended, None for a text that was read whole."""

    query_read_to: int | None
    document_read_to: int | None
    features: list[FeatureEvidenceRecord]


class ExplanationRecord(TypedDict):
    """score = bias + shares + remainder."""

    query_id: str
    doc_id: str
    score: float
    bias: float
    remainder: float
    explained: float | None
    explained_without_bias: float | None
    shared_features: list[int]
    per_view_shared_features: dict[str, list[int]]
    feature_explanations: list[FeatureRecord]
    other_features: NotRequired[OthersRecord]
    explainer: str
    encoder: str
    truncated: bool
    unread_tokens: UnreadRecord
    unknown_tokens: CountedRecord  # of those read, the ones that the tokenizer does not know
    read_tokens: CountedRecord
    steered: NotRequired[dict[str, float]]
    chunk: NotRequired[int]
    chunks: NotRequired[list[ChunkRecord]]
    evidence: NotRequired[EvidenceRecord]


class FeatureContrastRecord(TypedDict):
    """One feature in both scores."""

    feature_id: int
    hypothesis: str | None
    first: float
    second: float
    difference: float
    query_activation: float
    first_view_activations: dict[str, float]
    second_view_activations: dict[str, float]
    twins: NotRequired[list[int]]


class OtherContrastsRecord(TypedDict):
    """What is not shown, summed."""

    count: int
    first: float
    second: float
    difference: float


class UnreadOfTwoRecord(TypedDict):
    """Tokens past the encoder's limit."""

    query: int
    first: int
    second: int


class CountedOfTwoRecord(TypedDict):
    """Tokens of a text; null where the encoder cannot count them."""

    query: int | None
    first: int | None
    second: int | None


class NamedFeatureRecord(TypedDict):
    """A feature by id and name."""

    feature_id: int
    name: str


class EraseRecord(TypedDict):
    """Features whose erasure does it, and the score then."""

    features: list[NamedFeatureRecord]
    score: float | None
    minimal: bool


class BoostRecord(TypedDict):
    """One factor on the activations of these features, and the score then."""

    features: list[int]
    factor: float
    score: float | None


class CounterfactualRecord(TypedDict):
    """What would swap two documents."""

    ahead: Literal["first", "second"]
    erase: EraseRecord | None
    boost: BoostRecord | None


class RankChangeRecord(TypedDict):
    """What would take a document out of the top k, or into it."""

    rank: int
    k: int
    edge: float
    erase: EraseRecord | None
    boost: BoostRecord | None


class EvidenceOfTwoRecord(TypedDict):
    """In either document."""

    first: EvidenceRecord
    second: EvidenceRecord


class ContrastRecord(TypedDict):
    """difference = the features' differences + the remainders'."""

    first_score: float
    second_score: float
    difference: float
    bias: float
    first_remainder: float
    second_remainder: float
    remainder_difference: float
    shared_features: list[int]
    features: list[FeatureContrastRecord]
    note: str
    other_features: NotRequired[OtherContrastsRecord]
    explainer: str
    encoder: str
    unread_tokens: UnreadOfTwoRecord
    unknown_tokens: CountedOfTwoRecord
    read_tokens: CountedOfTwoRecord
    evidence: NotRequired[EvidenceOfTwoRecord]
    counterfactual: NotRequired[CounterfactualRecord]


class PartRecord(TypedDict):
    """What one feature or word adds."""

    kind: Literal["feature", "word"]
    feature_id: NotRequired[int]
    name: str
    share: float
    detail: dict[str, float]


class BreakdownRecord(TypedDict):
    """score = bias + parts + remainder, of a ranking that is not by cosine alone."""

    doc_id: str
    mode: str
    score: float
    bias: float
    remainder: float
    parts: list[PartRecord]
    other_parts: NotRequired[OthersRecord]
    note: NotRequired[str]
