"""Steering and comparing in a notebook: the same widgets in Jupyter, VS Code, Colab and marimo.

    from xetrieval.connect.notebook import Compare, Steer

    steer = Steer(index, "send an email")  # sliders; show it as the last line of a cell
    steer.profile.save("less.json")
    Compare(index, "send an email", "smtplib.SMTP.sendmail", "smtplib.quoteaddr")

Importing this module needs the package anywidget. Where no widget can run, such as in a notebook on a web page, the
last state is shown as HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from ..errors import InputError, XetrievalError
from ..extras import require
from ..index import Hit, Index
from ..steer import Kind, SteeringProfile
from ..text import clip, shorten

require("anywidget", "notebook")
import anywidget  # noqa: E402
import traitlets  # noqa: E402

CHARACTERS: Final = 160  # of each document


class _Widget(anywidget.AnyWidget):
    _esm = Path(__file__).with_name("notebook.js")

    kind = traitlets.Unicode().tag(sync=True)
    query = traitlets.Unicode().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        shown = super()._repr_mimebundle_(**options)
        bundle = shown[0] if isinstance(shown, tuple) else shown
        if bundle is not None:
            bundle["text/html"] = self.as_html()
        return shown

    def as_html(self) -> str:
        """The present state, for where no widget can run."""
        raise NotImplementedError


class Steer(_Widget):
    """Sliders for the features of a query's hits, and the ranking that they give.

    `profile` has the factors that are set; `factors` can also be set from Python: `steer.factors = {"31": 0}`.

    Args:
        index: an index.
        query: a text.
        k: how many hits are ranked.
        top: how many features have sliders: those with the largest shares over these hits.
        kind: what a factor does; see `SteeringProfile`.
    Raises:
        InputError: an empty query, or a number that is not positive.
    """

    features = traitlets.List().tag(sync=True)  # id, name and share of each
    factors = traitlets.Dict().tag(sync=True)  # feature id as text: factor
    ranking = traitlets.List().tag(sync=True)

    def __init__(self, index: Index, query: str, k: int = 10, top: int = 8, *, kind: Kind = "project") -> None:
        if k < 1 or top < 1:
            raise InputError(f"steer: k is {k} and top is {top}; both must be positive")
        hits = index.search(query, k)
        shares: dict[int, float] = {}
        names: dict[int, str] = {}
        for term in (term for hit in hits for term in hit.explanation.terms):
            if term.feature_id is not None:
                shares[term.feature_id] = shares.get(term.feature_id, 0.0) + term.share / len(hits)
                names.setdefault(term.feature_id, term.name)
        strongest = sorted(shares, key=lambda feature_id: -abs(shares[feature_id]))[:top]
        self._index, self._k, self._kind = index, k, kind
        self._ranks = {hit.doc_id: hit.rank for hit in hits}
        super().__init__(
            kind="steer",
            query=query,
            features=[[str(feature_id), names[feature_id], shares[feature_id]] for feature_id in strongest],
            ranking=self._rows(hits),
        )

    @property
    def profile(self) -> SteeringProfile:
        """The factors as a profile."""
        return _profile(self._index, self.factors, self.query, self._kind)

    @traitlets.observe("factors")
    def _rank(self, _change: object) -> None:
        try:
            steer = self.profile if self.factors else None
            self.ranking, self.error = self._rows(self._index.search(self.query, self._k, steer=steer)), ""
        except XetrievalError as error:
            self.error = str(error)

    def _rows(self, hits: list[Hit]) -> list[dict[str, Any]]:
        return [
            {
                "doc_id": hit.doc_id,
                "score": round(float(hit.score), 4),
                "before": self._ranks.get(hit.doc_id),
                "text": shorten(hit.document.text, CHARACTERS),
            }
            for hit in hits
        ]

    def as_html(self) -> str:
        """The ranking as a table."""
        rows = "".join(
            f"<tr><td>{rank}</td><td>{row['before'] or ''}</td><td>{row['score']:.4f}</td>"
            f"<td>{escape(row['doc_id'])}</td><td>{escape(row['text'])}</td></tr>"
            for rank, row in enumerate(self.ranking, 1)
        )
        names = {feature_id: name for feature_id, name, _ in self.features}
        turned = ", ".join(f"{escape(names.get(one, one))} × {factor:g}" for one, factor in self.factors.items())
        head = "<tr><th>rank</th><th>before</th><th>score</th><th>document</th><th></th></tr>"
        return f"<p>{escape(self.query)}{' · ' if turned else ''}{turned}</p><table>{head}{rows}</table>"


class Compare(_Widget):
    """Why one document scores above another, with a choice of both among the hits of a query.

    Args:
        index: an index.
        query: a text.
        first: a document's id; default: the first hit.
        second: a document's id; default: the second hit.
        k: how many hits there are to choose from.
    Raises:
        InputError: an empty query, or no document with that id.
    """

    documents = traitlets.List().tag(sync=True)  # ids
    first = traitlets.Unicode().tag(sync=True)
    second = traitlets.Unicode().tag(sync=True)
    html = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, index: Index, query: str, first: str | None = None, second: str | None = None, k: int = 10
    ) -> None:
        found = [hit.doc_id for hit in index.search(query, max(k, 2))]
        one = first if first is not None else next((doc_id for doc_id in found if doc_id != second), "")
        other = second if second is not None else next((doc_id for doc_id in found if doc_id != one), "")
        self._index = index
        html = _contrast(index, query, one, other)
        documents = list(dict.fromkeys([one, other, *found]))
        super().__init__(kind="compare", query=query, documents=documents, first=one, second=other, html=html)
        self.observe(self._compare, ["first", "second"])

    def _compare(self, _change: object) -> None:
        try:
            self.html, self.error = _contrast(self._index, self.query, self.first, self.second), ""
        except XetrievalError as error:
            self.error = str(error)

    def as_html(self) -> str:
        """The table of the contrast."""
        return str(self.html)


def _contrast(index: Index, query: str, first: str, second: str) -> str:
    contrast = index.why(query, first, over=second).contrast
    return "" if contrast is None else contrast._repr_html_()  # with `over` there is always one


def _profile(index: Index, factors: Mapping[str, float], query: str, kind: Kind) -> SteeringProfile:
    try:
        values = {int(feature_id): float(factor) for feature_id, factor in factors.items()}
    except (TypeError, ValueError) as error:
        raise InputError('steer: factors are {feature: number}, such as {"31": 0.5}') from error
    return SteeringProfile(values, index.explainer.sae.digest, note=f"steered for {clip(query, 60)}", kind=kind)
