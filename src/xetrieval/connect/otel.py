"""OpenTelemetry: a span for each search, with what it found and, for a sample of them, why.

    from xetrieval.connect.otel import DriftAlarm, traced

    search = traced(index.search, "my-index", sample=0.05, alarm=DriftAlarm(index))
    hits = search("parse a date", k=5)

A span has the names of the GenAI conventions (`gen_ai.retrieval.documents`) and of OpenInference
(`retrieval.documents.0.document.id`). Explanations are in `xetrieval` of each document. Queries, texts and their words
are recorded only with content=True; labels of features, which are words of the corpus, are part of an explanation.

Importing this module needs only the package opentelemetry-api. Without an SDK nothing is recorded or explained.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from ..errors import InputError
from ..explain import Explanation
from ..explain.verdict import Verdict, Word, verdict
from ..extras import require
from ..index import Hit
from ..index.search.ranking import check_k
from .hits import KEY, Source, explainer_from, summary

require("opentelemetry", "otel")
from opentelemetry import metrics, trace  # noqa: E402

Found = TypeVar("Found", bound=Hit | Explanation)
FOREIGN: Final[Word] = "not made for this"
METRIC: Final = "xetrieval.retrieval.not_made_for_this"
LEAST_OWN: Final = 0.05  # mean of score - bias, below which a search says nothing about its features
QUERY_TEXT: Final = ("gen_ai.retrieval.query.text", "input.value")
LONGEST: Final = 2000  # characters of a text in a span


class DriftAlarm:
    """The fraction of recent searches whose scores the features hardly explain.

    Each search gets the verdict of `xetrieval doctor`, on its own hits. The alarm is raised while the fraction with the
    verdict "not made for this" is above the threshold.

    Args:
        explainer: the one that explains the searches, or its index.
        window: how many searches count.
        threshold: a fraction of them.
        least: the alarm is silent before this many.
        untrained: how much untrained directions explain, as `doctor` measures it; None: the explainer's own figure.
    Raises:
        InputError: settings that make no sense, or no figure for untrained directions.
    """

    def __init__(
        self,
        explainer: Source,
        *,
        window: int = 500,
        threshold: float = 0.2,
        least: int = 50,
        untrained: float | None = None,
    ) -> None:
        check_k(window, "window")
        check_k(least, "least")
        _check_fraction(threshold, "threshold")
        if least > window:
            raise InputError(f"least {least} is more than the window of {window} searches")
        opened = explainer_from(explainer)
        if untrained is None:
            untrained = (opened.metrics.get("pairs") or {}).get("explained_untrained")
        if untrained is None:
            raise InputError(
                f"explainer {opened.name} has no figure for untrained directions; give untrained=..., the figure that "
                "`xetrieval doctor INDEX` prints"
            )
        _check_fraction(untrained, "untrained")
        self.untrained, self.threshold, self.least = float(untrained), float(threshold), least
        self._recent: deque[bool] = deque(maxlen=window)

    def add(self, explanations: Sequence[Explanation]) -> Verdict | None:
        """Count one search. None, and not counted, if its scores are not cosines or are hardly above the bias."""
        if any(one.mode != "dense" for one in explanations):
            return None
        own = sum(one.score - one.bias for one in explanations)
        if not explanations or own / len(explanations) < LEAST_OWN:
            return None
        found = verdict(sum(one.total for one in explanations) / own, self.untrained)
        self._recent.append(found.word == FOREIGN)
        return found

    @property
    def fraction(self) -> float | None:
        """The fraction in the window; None before `least` searches."""
        recent = tuple(self._recent)
        return sum(recent) / len(recent) if len(recent) >= self.least else None

    @property
    def raised(self) -> bool:
        """Whether the fraction is above the threshold."""
        return (self.fraction or 0.0) > self.threshold


def traced(
    search: Callable[..., list[Found]],
    name: str,
    *,
    sample: float = 0.05,
    content: bool = False,
    top: int = 4,
    alarm: DriftAlarm | None = None,
) -> Callable[..., list[Found]]:
    """A search function that does the same and records a span "retrieval NAME" for each call.

    Args:
        search: `Index.search`, the `search` of a store, or any function of a query that returns their results.
        name: what is searched, as `gen_ai.data_source.id`.
        sample: fraction of searches that are explained, chosen by the id of their trace.
        content: also record the query, the texts of the documents, and their words.
        top: features in each explanation; the others are added up.
        alarm: counts the explained searches; its fraction becomes the metric xetrieval.retrieval.not_made_for_this.
    Raises:
        InputError: settings that make no sense. The function returned raises what `search` raises.
    """
    _check(search, name)
    _check_fraction(sample, "sample")
    check_k(top, "top")
    tracer, meter = trace.get_tracer("xetrieval"), metrics.get_meter("xetrieval")
    gauge = meter.create_gauge(METRIC, "1", f"fraction of recent searches with the verdict {FOREIGN!r}")

    def recorded(query: object, *arguments: object, **options: object) -> list[Found]:
        span = tracer.start_span(f"retrieval {name}", kind=trace.SpanKind.CLIENT)
        try:
            with trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
                found = search(query, *arguments, **options)
        except BaseException as error:  # its message may quote the query
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
            span.end()
            raise
        ended = time.time_ns()  # explaining is not part of the search
        try:
            if span.is_recording():
                describe(span, found, query, options.get("k", arguments[0] if arguments else None))
        except Exception as error:  # whatever it is, the search itself has succeeded
            span.set_attribute("xetrieval.error", type(error).__name__)
        finally:
            span.end(ended)
        return found

    def describe(span: trace.Span, found: Sequence[Found], query: object, k: object) -> None:
        span.set_attributes(_request(name, query if content else None, k if isinstance(k, int) else len(found)))
        explained = _explained(span, found) if _is_sampled(span, sample) else []
        records = [_record(one, top, content=content) for one in explained]
        span.set_attributes(_documents(found, records, content=content))
        if alarm is not None and explained:
            _count(alarm, explained, span)
            gauge.set(alarm.fraction or 0.0, {"gen_ai.data_source.id": name})

    return recorded


def _check(search: object, name: object) -> None:
    if not callable(search):
        raise InputError("search: give a function, e.g. index.search")
    if not isinstance(name, str) or not name:
        raise InputError("name: give the name of what is searched, a text")


def _is_sampled(span: trace.Span, sample: float) -> bool:
    return bool((span.get_span_context().trace_id & (1 << 64) - 1) < sample * (1 << 64))


def _request(name: str, query: object, k: int) -> dict[str, Any]:
    """The attributes of a request; those of its text only if `query` is one."""
    return {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": name,
        "gen_ai.retrieval.top_k": k,
        "openinference.span.kind": "RETRIEVER",
        **(dict.fromkeys(QUERY_TEXT, query[:LONGEST]) if isinstance(query, str) else {}),
    }


def _explained(span: trace.Span, found: Sequence[Hit | Explanation]) -> list[Explanation]:
    """The explanations of one search, whose common figures are attributes of its span; none if that fails."""
    try:
        explained = [one if isinstance(one, Explanation) else one.explanation for one in found]
    except Exception as error:  # the hits themselves are still recorded
        span.set_attribute("xetrieval.error", type(error).__name__)
        return []
    span.set_attribute("xetrieval.explained_hits", len(explained))
    if explained:
        own = sum(one.score - one.bias for one in explained)
        span.set_attributes({"xetrieval.explainer": explained[0].explainer, "xetrieval.mode": explained[0].mode})
        if own:
            span.set_attribute("xetrieval.explained", round(sum(one.total for one in explained) / own, 4))
    return explained


def _documents(
    found: Sequence[Hit | Explanation], records: Sequence[dict[str, Any]], *, content: bool
) -> dict[str, Any]:
    """The hits in both vocabularies, each with its record where there are any."""
    hits = [{"id": one.doc_id, "score": float(one.score)} for one in found]
    both = [{**hit, KEY: record} for hit, record in zip(hits, records, strict=True)] if records else hits
    out: dict[str, Any] = {"gen_ai.retrieval.documents": json.dumps(both, ensure_ascii=False)}
    for place, (one, hit) in enumerate(zip(found, hits, strict=True)):
        prefix = f"retrieval.documents.{place}.document"
        out |= {f"{prefix}.{name}": value for name, value in hit.items()}
        if records:
            out[f"{prefix}.metadata"] = json.dumps({KEY: records[place]}, ensure_ascii=False)
        if content:
            text = one.document if isinstance(one, Explanation) else one.document.text
            out[f"{prefix}.content"] = text[:LONGEST]
    return out


def _record(one: Explanation, top: int, *, content: bool) -> dict[str, Any]:
    """A small record of an explanation; without content, nothing in it comes from the query or the document."""
    if content:
        return summary(one, top)
    terms = tuple(replace(term, words=None) for term in one.terms if term.kind == "feature")
    words = sum(term.share for term in one.terms if term.kind == "word")  # of BM25: words of the query
    short = summary(replace(one, terms=terms, remainder=one.remainder + words), top)
    short.pop("notes", None)
    return {**short, "remainder": one.remainder, "other_features": short["other_features"] + words}


def _count(alarm: DriftAlarm, explained: Sequence[Explanation], span: trace.Span) -> None:
    before = alarm.raised
    if found := alarm.add(explained):
        span.set_attributes({"xetrieval.verdict": found.word})
    if alarm.raised and not before:
        span.add_event("xetrieval.drift", {METRIC: alarm.fraction, "xetrieval.threshold": alarm.threshold})


def _check_fraction(value: float, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{what} must be a number from 0 to 1")
