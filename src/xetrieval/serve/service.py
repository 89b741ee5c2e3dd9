"""The methods behind the routes: the library's operations on indexes by name. Their docstrings describe the routes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, TypeVar, cast

import numpy as np
from pydantic import Field

from .. import __version__
from ..errors import DamagedError, InputError, XetrievalError
from ..evaluate.about import About, about
from ..evaluate.profile_test import profile_test
from ..explain import DEFAULT_TOP, Contrast, Explainer, Explanation
from ..explain.explanation import BIAS, REMAINDER
from ..explain.verdict import LEVELS
from ..explain.words import with_words
from ..index import Index, open_index
from ..index.ask.answer import SearchAnswer, search_answer
from ..index.ask.catalogue import FeaturePage, feature_in_index, feature_page
from ..index.ask.edit import TextEdits, text_edits
from ..index.ask.moves import SteeredRanking, factors_from_thumbs, moves
from ..index.ask.others import OtherQueries, scope_of
from ..index.ask.overview import check_thumbs, overview
from ..index.ask.push import Push, push
from ..index.ask.report import CorpusReport, report
from ..index.ask.why import Why, all_scores, contrast_rows, rank_in, why
from ..index.search.mode import SearchOptions
from ..index.search.ranking import explain_with_words, prepare, search
from ..index.store.texts import StoredDocument
from ..labels.card import FeatureCard
from ..options import check
from ..registry import SEARCH_MODES
from ..render.rows import MARKED, WORD
from ..steer import ALL_QUERIES, SteeringProfile
from . import schemas as s
from .encoder import SharedEncoder

T = TypeVar("T")
LOOKS_EVERY: Final = 1.0  # seconds between checks whether an index has changed
GONE_AFTER: Final = 3.0  # seconds after which an index without a folder is refused; rebuilds briefly remove it
LOG: Final = logging.getLogger("xetrieval.serve")
IndexName = Annotated[str | None, Field(max_length=200, description="Which index; default: the first.")]
OPTIONS: Final = {"factors": "steer", "weights": "views", "document": "text"}  # names of fields -> names of options
IN_HTTP: Final = {option: field for field, option in OPTIONS.items()}


class NotFound(XetrievalError):  # noqa: N818  # HTTP's name for it
    """No such index, document or feature."""


class Service:
    """Indexes, and an explainer for texts outside them."""

    def __init__(self, indexes: Mapping[str, Index], explainer: Explainer, profiles: Path) -> None:
        self._gone: dict[str, float] = {}  # when an index's folder disappeared
        self._encoders: dict[str, SharedEncoder] = {}
        self._reopening, self._looked = threading.Lock(), dict.fromkeys(indexes, time.monotonic())
        self.indexes = {name: self._shared(index) for name, index in indexes.items()}
        self._own = self._sharing(explainer)
        self._profiles = profiles
        self._made: dict[tuple[str, str], tuple[Index, object]] = {}

    def index(self, name: str | None) -> Index:
        """An index by name; the first if none is named."""
        name = self._name(name)
        self._look(name)
        index, now = self.indexes[name], time.monotonic()
        if index.folder.exists():
            self._gone.pop(name, None)
        elif now - self._gone.setdefault(name, now) >= GONE_AFTER:
            raise NotFound(f"index {name}: its folder is gone; put it back, or restart the server without it")
        return index

    def _present(self) -> Iterator[tuple[str, Index]]:
        """The indexes whose folders exist."""
        for name in self.indexes:
            with suppress(NotFound):
                yield name, self.index(name)

    def _name(self, name: str | None) -> str:
        if name is None and not self.indexes:
            raise NotFound("this server has no index; give texts")
        if name is not None and name not in self.indexes:
            raise NotFound(f"no index {name!r} here; the indexes are: {', '.join(self.indexes) or 'none'}")
        return next(iter(self.indexes)) if name is None else name

    def _look(self, name: str) -> None:
        """Reopen an index that was changed or rebuilt. Running requests finish with the index they started with."""
        cut = self.indexes[name].truncated_file()
        if not self._reopening.acquire(blocking=cut is not None):
            return  # another request is reopening it; until then the open one is used
        try:
            index = self.indexes[name]
            cut = index.truncated_file()
            if cut is None and time.monotonic() - self._looked[name] < LOOKS_EVERY:
                return
            if cut or not index.is_current():
                try:
                    opened = open_index(index.folder)
                except XetrievalError as error:  # it is being rebuilt; the open index is still used
                    if cut:
                        remedy = "copy a new index to a new folder, then rename that folder"
                        raise DamagedError(f"{cut}: overwritten while the server had it open; {remedy}") from error
                    LOG.warning("%s: changed, and cannot be opened now: %s", name, error)
                else:
                    self.indexes[name] = self._shared(opened)
            self._looked[name] = time.monotonic()
        finally:
            self._reopening.release()

    def _explainer(self, name: str | None) -> Explainer:
        """The explainer for texts: that of an index, or the server's own if it has no index."""
        return self._own if name is None and not self.indexes else self.index(name).explainer

    def _sharing(self, one: Explainer) -> Explainer:
        """The explainer with the server's shared copy of its encoder, or without one if it cannot be opened."""
        digest = one.encoder_identity.digest
        try:
            if digest not in self._encoders:
                self._encoders[digest] = SharedEncoder(one.encoder)
        except XetrievalError:  # requests with texts will report the reason
            return replace(one, cache=False)
        return replace(one, cache=False).with_encoder(self._encoders[digest])

    def _shared(self, index: Index) -> Index:
        return index.with_explainer(self._sharing(index.explainer))

    def health(self) -> s.Health:
        """Whether the server is up, and which indexes it has."""
        indexes = tuple(
            s.IndexInfo(
                name=name,
                documents=len(index),
                explainer=index.manifest.explainer.name,
                encoder=index.manifest.explainer.encoder,
                features=index.manifest.features,
                views=index.manifest.views,
                fields=tuple(index.fields),
                dimension=index.manifest.dimension,
                sae=index.explainer.sae.digest,
            )
            for name, index in self._present()
        )
        modes = {name: mode.about for name, mode in SEARCH_MODES.items()}
        return s.Health(
            "ok",
            __version__,
            indexes,
            {"bias": BIAS, "remainder": REMAINDER, "word": WORD} | MARKED,
            modes,
            DEFAULT_TOP,
            LEVELS,
        )

    def search(self, request: s.SearchRequest) -> SearchAnswer:
        """Search for documents; each hit has an explanation of its score."""
        check("search", _options_of(request, explain=request.explain), IN_HTTP, request.by)
        index = self.index(request.index)
        options = request.options(_profile(index, request))
        found = search(index, _query_of(request), request.k, options, request.filters)
        common = overview(index, found.hits, request.good, request.bad) if request.overview else None
        return replace(
            search_answer(found, common, explain=request.explain, top=request.top),
            index=self._name(request.index),
        )

    def find(self, request: s.FindRequest) -> s.FindAnswer:
        """A document that a person has in mind, by its id or by some of its words."""
        index = self.index(request.index)
        wanted = request.wanted.strip()
        if wanted and index.find(wanted) is not None:
            return s.FindAnswer(wanted, ())
        return s.FindAnswer(None, tuple(index.search(request.wanted, request.k)))

    def explain(self, request: s.ExplainRequest) -> Explanation:
        """Why a document gets its score: by id in an index, or any text."""
        check("explain", _options_of(request), IN_HTTP)
        if request.document is not None:
            explainer = self._explainer(request.index)
            made = explainer.explain(request.query, request.document)
        elif request.doc_id is not None:
            index = self.index(request.index)
            explainer, row = index.explainer, self._row(index, request.doc_id)
            query = prepare(index, request.query, SearchOptions(steer=_profile(index, request)))
            made = explain_with_words(index, query, np.array([row]))[0]
            if not made.steered and query.vector is not None:
                made = replace(made, rank=rank_in(all_scores(index, query.vector), row))
                made = with_words(explainer, made, query.vector, index.vectors(np.array([row]))[0])
        else:
            raise InputError("give doc_id, or document as text: one of the two")
        if (terms := _evidence(request)) is not None:
            made = explainer.with_evidence(made, terms)
        return made.top(request.top)

    def contrast(self, request: s.ContrastRequest) -> Contrast:
        """Why one document scores above another, and what would swap them."""
        check("contrast", _options_of(request), IN_HTTP)
        if request.first is not None and request.second is not None:
            explainer = self._explainer(request.index)
            made = explainer.contrast(request.query, request.first, request.second, counterfactual=True)
        elif request.doc_id is not None and request.over is not None:
            index = self.index(request.index)
            explainer, rows = index.explainer, (self._row(index, request.doc_id), self._row(index, request.over))
            made = contrast_rows(index, prepare(index, request.query), *rows, counterfactual=True)
        else:
            raise InputError("give first and second as texts, or doc_id and over")
        if (terms := _evidence(request)) is not None:
            made = explainer.with_evidence(made, terms)
        return made.top(request.top)

    def why(self, request: s.WhyRequest) -> Why:
        """Why a document has its rank and not a higher one, and what would change it."""
        given = request.model_fields_set
        check("why", _options_of(request), IN_HTTP)
        index = self.index(request.index)
        for name in (request.doc_id, request.over):
            if name is not None:
                self._row(index, name)
        found = why(
            index,
            prepare(index, _query_of(request), SearchOptions(steer=_profile(index, request))),
            request.doc_id,
            request.over,
            request.k,
            counterfactual=request.counterfactual and ("counterfactual" in given or not request.factors),
            evidence=_evidence(request),
        )
        return found.top(request.top)

    def features(
        self,
        index: IndexName = None,
        search: Annotated[str, Field(max_length=200)] = "",
        family: s.Whole | None = None,
        offset: s.Whole = 0,
        limit: Annotated[int, Field(ge=1, le=500), s.DIGITS] = 50,
    ) -> FeaturePage:
        """Features: all, or those of a name or a family."""
        return feature_page(self.index(index), search, family, offset, limit)

    def feature(self, feature_id: s.Whole, index: IndexName = None) -> FeatureCard:
        """One feature: its label and label scores, its neighbours, and the documents in which it is strongest."""
        opened = self.index(index)
        if feature_id >= opened.manifest.features:
            raise NotFound(f"there is no feature {feature_id} (0 to {opened.manifest.features - 1})")
        return feature_in_index(opened, feature_id)

    def document(
        self, id: Annotated[str, Field(min_length=1, max_length=1000)], index: IndexName = None
    ) -> StoredDocument:
        """A stored document."""
        opened = self.index(index)
        return opened.document(self._row(opened, id))

    def report(self, index: IndexName = None) -> CorpusReport:
        """What the corpus is about."""
        return self._once(index, report)

    def about(self, index: IndexName = None) -> About:
        """Whether the explainer of an index was made for its documents, and queries to try."""
        return self._once(index, about)

    def _once(self, index: str | None, make: Callable[[Index], T]) -> T:
        """What `make` returns for an index, computed once."""
        name, opened = self._name(index), self.index(index)
        source, made = self._made.get((name, make.__name__), (None, None))
        if made is None or source is not opened:
            made = make(opened)
            self._made[name, make.__name__] = opened, made
        return cast(T, made)

    def apply(self, request: s.ApplyRequest) -> SteeredRanking:
        """A ranking with features turned up or down, and the ranks of the same documents without steering."""
        index = self.index(request.index)
        profile = SteeringProfile(request.factors, index.explainer.sae.digest, kind=request.kind)
        return moves(index, request.query, profile, request.k)

    def push(self, request: s.PushRequest) -> Push:
        """Changes that push a hit down or bring a document up, with what else they change."""
        index = self.index(request.index)
        for name in (request.doc_id, *request.good):
            self._row(index, name)
        others = OtherQueries.of(index, request.others) if request.others else None
        return push(index, request.query, request.doc_id, request.direction, good=request.good, others=others)

    def edit(self, request: s.EditRequest) -> TextEdits:
        """What leaving out a sentence of a document does to its rank, or what a new text does. Each is encoded."""
        index = self.index(request.index)
        if not index.rows_of(request.doc_id):
            raise NotFound(index.absent(request.doc_id))
        return text_edits(
            index, request.query, request.doc_id, request.text, sentences=request.sentences, send=request.send
        )

    def suggest(self, request: s.ThumbsRequest) -> s.Suggestion:
        """Factors learned from thumbs up and down on the hits of one query."""
        if not request.good or not request.bad:
            raise InputError("mark at least one hit as good and one as bad")
        check_thumbs(request.good, request.bad)
        index = self.index(request.index)
        good, bad = ([self._row(index, name) for name in names] for names in (request.good, request.bad))
        factors = factors_from_thumbs(index, request.query, good, bad, request.features)
        note = "learned from one query: check its effect on other queries before you save it"
        learned = SteeringProfile(factors, index.explainer.sae.digest)
        harm = profile_test(index, learned, OtherQueries.passages(index)).harm
        return s.Suggestion(learned.named(index.explainer.features), note, harm)

    def profiles(self, index: IndexName = None) -> s.Profiles:
        """Saved profiles."""
        opened = self.index(index)
        sae, earlier = opened.explainer.sae, opened.explainer.earlier
        files = {
            path.stem: path for digest in (*earlier, sae.digest) for path in (self._profiles / digest).glob("*.json")
        }
        found = (_profile_of(opened, name, opened.profile(path)) for name, path in sorted(files.items()))
        return s.Profiles(tuple(found))

    def keep(self, request: s.ProfileRequest) -> s.Profile:
        """Save a profile."""
        check("profile", _options_of(request), IN_HTTP)
        index = self.index(request.index)
        scope = scope_of(index, request.like, request.least_cosine) if request.like else ALL_QUERIES
        sae = index.explainer.sae
        profile = SteeringProfile(request.factors, sae.digest, "the page", request.note, request.kind, scope)
        profile.check(sae)
        folder = self._folder(index)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{request.name}.json"
        profile.save(path)
        return _profile_of(index, request.name, index.profile(path))

    def discard(self, name: s.ProfileName, index: IndexName = None) -> s.Profiles:
        """Delete a saved profile, of earlier versions of the dictionary too; answers with those that remain.

        The profiles of other indexes stay.
        """
        own = self.index(index).explainer
        others = {one.explainer.sae.digest for one in self.indexes.values()} - {own.sae.digest}
        digests = [digest for digest in (*own.earlier, own.sae.digest) if digest not in others]
        files = [path for digest in digests if (path := self._profiles / digest / f"{name}.json").is_file()]
        if not files:
            raise NotFound(f"no saved profile {name!r} of this index; GET /v1/steering/profiles lists them")
        for path in files:
            path.unlink(missing_ok=True)
        return self.profiles(index)

    def _folder(self, index: Index) -> Path:
        return self._profiles / index.explainer.sae.digest

    def _row(self, index: Index, identifier: str) -> int:
        row = index.find(identifier)
        if row is None:
            raise NotFound(index.absent(identifier))
        return row


def _query_of(request: s.SearchRequest | s.WhyRequest) -> str | list[float]:
    """The query: a text, or a vector of the index's encoder."""
    given = request.query if request.vector is None else request.vector
    if given is None:
        raise InputError("give query as text, or vector: one of the two")
    return given


def _evidence(request: s.ExplainRequest | s.ContrastRequest | s.WhyRequest) -> int | None:
    """How many terms get evidence: `top`, or DEFAULT_TOP if all are requested; None if evidence is not requested."""
    if not request.evidence:
        return None
    return DEFAULT_TOP if request.top is None else request.top


def _options_of(request: s.StrictRequest, **instead: object) -> dict[str, object]:
    """The fields that a request sets, under their names in the table of options."""
    fields = {OPTIONS.get(name, name): getattr(request, name) for name in request.model_fields_set}
    return {**fields, **instead}


def _profile(index: Index, request: s.SearchRequest | s.ExplainRequest | s.WhyRequest) -> SteeringProfile | None:
    if not request.factors:
        return None
    return SteeringProfile(request.factors, index.explainer.sae.digest, kind=request.kind)


def _profile_of(index: Index, name: str, profile: SteeringProfile) -> s.Profile:
    named = profile.named(index.explainer.features)
    return s.Profile(name, named, profile.provenance, profile.note, profile.kind, str(profile.scope), profile.date)
