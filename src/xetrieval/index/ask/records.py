"""What an index answers, as JSON holds it."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from ...explain.records import BreakdownRecord, ContrastRecord, ExplanationRecord, RankChangeRecord


class HitRecord(TypedDict):
    """One document found."""

    rank: int
    id: str
    score: float
    title: str
    snippet: str
    metadata: dict[str, Any]
    unknown_tokens: int | None  # of those read, the ones that the tokenizer does not know; null: not counted
    read_tokens: int | None
    parent: NotRequired[str]
    start: NotRequired[int | None]
    end: NotRequired[int | None]
    explanation: NotRequired[ExplanationRecord | BreakdownRecord]


class RivalRecord(TypedDict):
    """The document that another is compared with."""

    id: str
    rank: int | None
    title: str


class WhyRecord(TypedDict):
    """Why a document stands where it does."""

    id: str
    rank: int
    documents: int
    title: str
    explanation: ExplanationRecord | BreakdownRecord
    over: NotRequired[RivalRecord]
    contrast: NotRequired[ContrastRecord]
    counterfactual: NotRequired[RankChangeRecord]


class MoveRecord(TypedDict):
    """A document of the steered ranking, and where it stood before."""

    id: str
    title: str
    rank: int
    before_rank: int
    score: float
    before_score: float


class ListFeatureRecord(TypedDict):
    """A feature over a list of hits."""

    feature_id: int
    name: str
    hits: int
    mean_share: float
    spread: float
    good: NotRequired[float]
    bad: NotRequired[float]


class ListingRecord(TypedDict):
    """What a list of hits is made of."""

    hits: int
    common: list[ListFeatureRecord]
    splitting: list[ListFeatureRecord]
    misleading: NotRequired[list[ListFeatureRecord]]


class CountedFeatureRecord(TypedDict):
    """A feature and a figure of it: how many documents, which share of them, or its share of a score."""

    feature_id: int
    name: str
    documents: NotRequired[int]
    share_of_documents: NotRequired[float]
    share: NotRequired[float]


class TopicRecord(TypedDict):
    """A family, and the documents in which it is strongest."""

    name: str
    documents: int
    features: list[CountedFeatureRecord]


class TwinsRecord(TypedDict):
    """Two features that the same documents have."""

    first: int
    first_name: str
    second: int
    second_name: str
    jaccard: float


class HubRecord(TypedDict):
    """A document that turns up for everything."""

    id: str
    title: str
    found: int
    expected: float
    features: list[CountedFeatureRecord]
    bias: float
    remainder: float


class CommonLineRecord(TypedDict):
    """A line that stands in most documents."""

    line: str
    documents: int
    share_of_documents: float


class ReportRecord(TypedDict):
    """What a corpus is about."""

    documents: int
    topics: list[TopicRecord]
    boilerplate: list[CountedFeatureRecord]
    boilerplate_lines: list[CommonLineRecord]
    twins: list[TwinsRecord]
    hubs: list[HubRecord]
    probes: int
    silent_features: int


class FeatureRowRecord(TypedDict):
    """A feature in a list."""

    feature_id: int
    hypothesis: str | None
    source: str | None  # who named it
    documents: int  # of this index that have it
    share_of_documents: float
    confidence: float | None  # mean detection score of its name; None where it was never judged
    family: int | None


class FamilyRecord(TypedDict):
    """A family of features."""

    id: int
    name: str
    parent: int | None
    features: int


class FeaturePageRecord(TypedDict):
    """Some of the features."""

    total: int
    offset: int
    features: list[FeatureRowRecord]
    families: list[FamilyRecord]


class NameScoreRecord(TypedDict):
    """How far a name holds, to one judge."""

    kind: str
    judge: str
    value: float
    low: float
    high: float
    chance: float
    texts: int


class NeighbourRecord(TypedDict):
    """Another feature whose direction is near."""

    feature_id: int
    hypothesis: str | None
    nearness: float
    documents: int


class BinRecord(TypedDict):
    """How many documents have it so strongly."""

    low: float
    high: float
    count: int


class FeatureExampleRecord(TypedDict):
    """A document that has it strongly."""

    id: str
    title: str
    text: str
    activation: float


class FeatureCardRecord(FeatureRowRecord):
    """All that is known of one feature, in this index."""

    families: list[str]
    scores: list[NameScoreRecord]
    nearest: list[NeighbourRecord]
    histogram: list[BinRecord]
    examples: list[FeatureExampleRecord]


class DocumentRecord(TypedDict):
    """A document as it is stored."""

    id: str
    title: str
    text: str
    metadata: dict[str, Any]
    parent: str | None
    start: int | None
    end: int | None
    unread_tokens: int
    unknown_tokens: int | None  # of those read, the ones that the tokenizer does not know; null: not counted
    read_tokens: int | None
