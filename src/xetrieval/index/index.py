"""The index as users see it: an `IndexReader` with methods for searching and explaining."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import InputError
from ..explain import Explainer
from ..steer import SteeringProfile
from ..views import View
from .ask.edit import SENTENCES, TextEdits, text_edits
from .ask.expect import Expectation, Outcomes, check, read_expectations
from .ask.nuisance import Nuisances, nuisances
from .ask.others import OtherQueries
from .ask.push import Push, push
from .ask.why import Why, why
from .search.mode import SearchOptions
from .search.ranking import Hit, prepare, search, warn_foreign
from .store.filters import Filters, check_fields, parse_filters
from .store.reader import IndexReader


class Index(IndexReader):
    """Documents with their vectors, codes and texts, for searching and explaining. Made by `open_index`."""

    def search(
        self,
        query: str | object,
        k: int = 10,
        by: str = "dense",
        *,
        filters: Filters | None = None,
        steer: SteeringProfile | None = None,
        views: Mapping[View, float] | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """The best k documents.

        Args:
            query: a text, or a vector of this index's encoder.
            by: a search mode: a key of `xetrieval.registry.SEARCH_MODES`.
            filters: conditions on metadata, all of which must hold: ["year>=2020", "ok=true"], or
                {"year": [2019, 2020], "price": {"<": 3}}.
            steer: a profile that scales the documents' activations before they are scored (dense).
            views: {view: weight} added to the dense score.
            exact: scan all vectors, even if there is a faiss index.
        Raises:
            InputError: an empty query, an unknown mode or field, or options that cannot be combined.
        """
        found = search(self, query, k, SearchOptions(by, steer, {} if views is None else views, exact), filters)
        warn_foreign(found.query)
        return found.hits

    def why(
        self,
        query: str | object,
        doc_id: str,
        over: str | None = None,
        k: int | None = None,
        *,
        counterfactual: bool = False,
        evidence: int | None = None,
    ) -> Why:
        """Why a document has its rank; see `xetrieval.index.ask.why.why`."""
        prepared = warn_foreign(prepare(self, query))
        return why(self, prepared, doc_id, over, k, counterfactual=counterfactual, evidence=evidence)

    def check(self, expectations: str | Path | Iterable[Expectation]) -> Outcomes:
        """Compare rankings with expectations, and explain those that do not hold.

        Args:
            expectations: a file of JSON lines (docs/checking.md), or `xetrieval.index.Expectation` objects.
        Raises:
            InputError: a line that is not an expectation, a document that is not in the index, or an unusable filter.
        """
        given = read_expectations(expectations) if isinstance(expectations, str | Path) else expectations
        return check(self, given)

    def nuisances(self, fields: Sequence[str] | None = None) -> Nuisances:
        """Features that separate sources, languages, repeated lines or lengths; see `xetrieval.index.ask.nuisance`.

        Args:
            fields: metadata fields to look at; None: all with few values.
        """
        return nuisances(self, fields)

    def push_down(
        self, query: str | object, doc_id: str, *, good: Sequence[str] = (), others: OtherQueries | None = None
    ) -> Push:
        """What pushes a document down for a query, and what else that changes; see `xetrieval.index.ask.push.push`.

        Args:
            good: ids of documents that must not fall.
            others: queries that should stay as they are (`OtherQueries.of`); None: passages of this index.
        """
        return push(self, query, doc_id, "down", good=good, others=others)

    def bring_up(
        self, query: str | object, doc_id: str, *, good: Sequence[str] = (), others: OtherQueries | None = None
    ) -> Push:
        """What brings a document up for a query, and what else that changes; see `push_down`."""
        return push(self, query, doc_id, "up", good=good, others=others)

    def text_edits(
        self,
        query: str | object,
        doc_id: str,
        text: str | None = None,
        *,
        sentences: int = SENTENCES,
        send: bool = False,
    ) -> TextEdits:
        """What leaving out a sentence does to a document's rank, or what a new text does.

        Every changed text is encoded; see `xetrieval.index.ask.edit.text_edits`.
        """
        return text_edits(self, query, doc_id, text, sentences=sentences, send=send)

    def profile(self, path: str | Path) -> SteeringProfile:
        """Read a steering profile for this index; its features may be named by number, or by a label that is unique.

        Raises:
            InputError: it cannot be read, an unknown or ambiguous name, or a filter for a field that no document has.
            MismatchError: for a different autoencoder.
        """
        explainer = self.explainer
        profile = SteeringProfile.load(path, explainer.sae, explainer.earlier, explainer.features)
        try:
            check_fields(parse_filters(profile.scope.filters), self.kinds)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return profile


def open_index(folder: str | Path, explainer: str | Path | Explainer | None = None) -> Index:
    """Open an index for reading; see `IndexReader.open`."""
    return Index.open(folder, explainer)
