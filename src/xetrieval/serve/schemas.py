"""The requests of the API. Most answers are the library's own types, so that API and library cannot disagree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
)
from typing_extensions import TypedDict

from ..explain import DEFAULT_TOP
from ..explain.verdict import Level
from ..features import SteeredFeature
from ..index.ask.edit import SENTENCES
from ..index.ask.push import Direction
from ..index.search.mode import SearchOptions
from ..index.search.ranking import Hit
from ..index.store.filters import LONGEST, MOST_CONDITIONS, MOST_VALUES, parse_filters
from ..records import Record
from ..registry import SEARCH_MODES
from ..steer import Kind, SteeringProfile

MOST_CHARACTERS = 200_000
PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}")


def _digits(text: object) -> object:
    """Numbers in addresses and JSON keys are strings. int() reads many spellings; only "1" is accepted for 1."""
    if not isinstance(text, str):
        return text
    if not (text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")):
        raise ValueError(f"{text[:60]!a} is not a whole number from 0; write its digits alone, such as 12")
    if len(text) > 10 or int(text) >= 1 << 31:
        raise ValueError(f"{text[:60]} is too large")
    return int(text)


def _filters(given: object) -> object:
    """The filters, unchanged, if the library's own reader accepts them; its errors say what is wrong."""
    if given is None:
        raise ValueError("leave it out, or give conditions")
    parse_filters(given)  # type: ignore[arg-type]
    return given


def _mode(name: str) -> str:
    if name not in SEARCH_MODES:
        raise ValueError(f"choose one of {', '.join(SEARCH_MODES)}")
    return name


def _profile_name(name: str) -> str:
    if not PROFILE_NAME.fullmatch(name):
        raise ValueError("use 1 to 64 letters, digits, spaces and _ . -, beginning with a letter or a digit")
    return name


ProfileName = Annotated[str, AfterValidator(_profile_name)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)]
QueryText = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
DocId = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Vector = Annotated[
    list[float],
    Field(min_length=1, max_length=16_384, description="Instead of query: a vector from the same encoder."),
]
FactorValue = Annotated[float, Field(ge=0, le=100)]
Weight = Annotated[float, Field(ge=-100, le=100)]
DIGITS = BeforeValidator(_digits)
FeatureId = Annotated[int, Field(ge=0, lt=1 << 31)]
Whole = Annotated[FeatureId, DIGITS]  # in a path or a key
Factors = dict[Whole, FactorValue]
KIND: Any = Field(default="scale", description="What factors do: scale activations, or project features out.")
Top = Annotated[int | None, Field(ge=0, le=1000, description="Terms listed; the others are added up.")]
Value = StrictBool | StrictInt | StrictFloat | Annotated[StrictStr, StringConstraints(max_length=LONGEST)]
Values = Value | Annotated[list[Value], Field(max_length=MOST_VALUES)]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~"]
ByField = dict[Annotated[str, StringConstraints(max_length=LONGEST)], Values | dict[Operator, Values]]
Texts = list[Annotated[StrictStr, StringConstraints(max_length=2 * LONGEST)]]
Conditions = Annotated[ByField, Field(max_length=MOST_CONDITIONS)] | Annotated[Texts, Field(max_length=MOST_CONDITIONS)]
Filters = Annotated[Conditions, BeforeValidator(_filters)]
Mode = Annotated[str, AfterValidator(_mode), Field(json_schema_extra={"enum": [*SEARCH_MODES]})]


class StrictRequest(BaseModel):
    """A request that refuses unknown fields and values of the wrong type."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class OfIndex(StrictRequest):
    """A request about one index: the first, if none is named."""

    index: str | None = Field(default=None, max_length=200)


class SearchRequest(OfIndex):
    """A search."""

    query: QueryText | None = Field(default=None, examples=["how do I read a file line by line"])
    vector: Vector | None = None
    k: int = Field(default=10, ge=1, le=100)
    by: Mode = "dense"
    filters: Filters = Field(
        default={},
        description="Conditions on metadata; all must be met. For each field, values (one must match) or operators: "
        '{"year": [2019, 2020], "ok": [true], "price": {"<": 3}}; or texts: ["year>=2020", "tags~new"].',
    )
    factors: Factors = Field(default={}, max_length=500, description="Steering factors by feature.")
    kind: Kind = KIND
    weights: dict[FieldName, Weight] = Field(default={}, max_length=20, description="Weights of views in the score.")
    least: float | None = Field(default=None, description="Leave out hits with a lower score.")
    explain: bool = True
    top: Top = DEFAULT_TOP
    overview: bool = False
    good: list[DocId] = Field(default=[], max_length=100, description="Ids of relevant hits, for the overview.")
    bad: list[DocId] = Field(default=[], max_length=100)

    def options(self, steer: SteeringProfile | None) -> SearchOptions:
        """How to rank; `steer` has the request's factors."""
        return SearchOptions(self.by, steer, self.weights, least=self.least)


class ExplainRequest(OfIndex):
    """A query and a document, which is an id in an index or a text."""

    query: QueryText = Field(examples=["how do vaccines work"])
    doc_id: DocId | None = None
    document: Text | None = Field(default=None, examples=["Vaccines train the immune system to recognise a virus."])
    factors: Factors = Field(default={}, max_length=500)
    kind: Kind = KIND
    evidence: bool = False
    top: Top = None


class ContrastRequest(OfIndex):
    """A query and two documents, which are ids in an index or texts."""

    query: QueryText
    doc_id: DocId | None = None
    over: DocId | None = None
    first: Text | None = None
    second: Text | None = None
    evidence: bool = False
    top: Top = None


class FindRequest(OfIndex):
    """A document that a person has in mind: its id, or some of its words."""

    wanted: QueryText
    k: int = Field(default=5, ge=1, le=20)


class WhyRequest(OfIndex):
    """A document of an index, its rank, and what would change it."""

    query: QueryText | None = None
    vector: Vector | None = None
    doc_id: DocId
    over: DocId | None = None
    k: int | None = Field(default=None, ge=1, le=100, description="The size of the top; default: 10.")
    factors: Factors = Field(default={}, max_length=500, description="Not together with over, k or evidence.")
    kind: Kind = KIND
    counterfactual: bool = True
    evidence: bool = False
    top: Top = None


class ApplyRequest(OfIndex):
    """A ranking with and without factors."""

    query: QueryText
    factors: Factors = Field(max_length=500)
    kind: Kind = KIND
    k: int = Field(default=10, ge=1, le=100)


class PushRequest(OfIndex):
    """A hit to push down, or a document to bring up."""

    query: QueryText
    doc_id: DocId
    direction: Direction = "down"
    good: list[DocId] = Field(default=[], max_length=100, description="Ids of documents that must not fall.")
    others: list[QueryText] = Field(
        default=[], max_length=20, description="Queries that should stay as they are; default: passages of the index."
    )


class EditRequest(OfIndex):
    """A document whose text might be changed."""

    query: QueryText
    doc_id: DocId
    text: Text | None = Field(default=None, description="A new text to check; default: leave out sentences in turn.")
    sentences: int = Field(default=SENTENCES, ge=1, le=SENTENCES, description="Leave out at most this many.")
    send: bool = Field(default=False, description="Allow sending the texts to an encoder on a server that may cost.")


class ThumbsRequest(OfIndex):
    """Hits of one query that a person liked and disliked."""

    query: QueryText
    good: list[DocId] = Field(default=[], max_length=100)
    bad: list[DocId] = Field(default=[], max_length=100)
    features: int = Field(default=4, ge=1, le=16, description="The largest number of features in the profile.")


class ProfileRequest(OfIndex):
    """A profile to save."""

    name: ProfileName
    factors: Factors = Field(max_length=500)
    kind: Kind = KIND
    like: list[QueryText] = Field(
        default=[], max_length=20, description="The profile is for queries like these; default: for all queries."
    )
    least_cosine: float = Field(default=0.8, ge=0, le=1, description="Of a query with one of `like`.")
    note: str = Field(default="", max_length=1000)


@dataclass(frozen=True)
class IndexInfo(Record):
    """One index of this server."""

    name: str
    documents: int
    explainer: str
    encoder: str
    features: int
    views: tuple[str, ...]
    fields: tuple[str, ...]  # names of the documents' metadata fields
    dimension: int
    sae: str  # digest of the autoencoder that its steering profiles belong to


@dataclass(frozen=True)
class Health(Record):
    """Whether the server is up, and what it offers."""

    status: Literal["ok"]
    version: str
    indexes: tuple[IndexInfo, ...]
    words: Mapping[str, str]  # names of the rows that are not terms, the same in every output
    modes: Mapping[str, str]  # search mode -> what it ranks by
    top: int  # terms listed by default
    levels: tuple[Level, ...]  # what it means how much of a score is explained, best first


@dataclass(frozen=True)
class FindAnswer(Record):
    """The document with that id, or those that best match the words."""

    doc_id: str | None
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Suggestion(Record):
    """Factors that would lift the liked hits above the disliked ones."""

    factors: tuple[SteeredFeature, ...]
    note: str
    harm: float  # to 20 passages of the index as queries


@dataclass(frozen=True)
class Profile(Record):
    """A saved profile."""

    name: str
    factors: tuple[SteeredFeature, ...]
    provenance: str
    note: str
    kind: Kind
    scope: str  # the queries that it applies to
    date: str


@dataclass(frozen=True)
class Profiles(Record):
    """All saved profiles of an index's autoencoder."""

    profiles: tuple[Profile, ...]


class Refusal(TypedDict):
    """What is wrong, in one line."""

    error: str


Problem: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The request cannot be answered, and why."},
    404: {"model": Refusal, "description": "No such index, document, feature or profile."},
    413: {"model": Refusal, "description": "The request is too large."},
    422: {"model": Refusal, "description": "A field is missing, or has the wrong type or value."},
    503: {"model": Refusal, "description": "Too many requests at once."},
}
