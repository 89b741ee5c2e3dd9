"""Spans of searches: the names of two vocabularies, explanations of a sample, content only if asked for; the alarm."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import random_explainer
from connect_data import IDS, QUERY, TEXTS, VECTORS, Q

from xetrieval.connect import StoreHit, explain_hits
from xetrieval.errors import InputError
from xetrieval.explain import Explanation, Term
from xetrieval.index import Corpus, Index, build_index, open_index

pytest.importorskip("opentelemetry.sdk", reason="pip install opentelemetry-sdk")
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from xetrieval.connect.otel import METRIC, DriftAlarm, traced

SHARES = {"bias", "features", "other_features", "remainder", "score"}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("traced")
    (folder / "c.jsonl").write_text(
        "".join(json.dumps({"_id": name, "text": text}) + "\n" for name, text in TEXTS.items())
    )
    build_index(Corpus((folder / "c.jsonl",)), random_explainer(), folder / "index")
    return open_index(folder / "index")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda name: provider.get_tracer(name))
    yield exporter
    provider.shutdown()


@pytest.fixture
def gauges(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", lambda name: provider.get_meter(name))
    yield reader
    provider.shutdown()


def test_a_search_has_the_names_of_both_vocabularies_and_its_explanations(
    index: Index, spans: InMemorySpanExporter
) -> None:
    hits = traced(index.search, "docs", sample=1, top=3)(QUERY, k=2)
    assert [hit.doc_id for hit in hits] == [hit.doc_id for hit in index.search(QUERY, 2)]
    (span,) = spans.get_finished_spans()
    found = dict(span.attributes)
    assert span.name == "retrieval docs"
    assert found["gen_ai.operation.name"] == "retrieval"
    assert found["gen_ai.data_source.id"] == "docs"
    assert found["gen_ai.retrieval.top_k"] == 2
    assert found["openinference.span.kind"] == "RETRIEVER"
    assert found["xetrieval.explainer"] == "toy"
    documents = json.loads(found["gen_ai.retrieval.documents"])
    assert [(one["id"], one["score"]) for one in documents] == [(hit.doc_id, hit.score) for hit in hits]
    for place, (one, hit) in enumerate(zip(documents, hits, strict=True)):
        prefix = f"retrieval.documents.{place}.document"
        assert found[f"{prefix}.id"] == hit.doc_id
        assert found[f"{prefix}.score"] == hit.score
        assert json.loads(found[f"{prefix}.metadata"]) == {"xetrieval": one["xetrieval"]}
        short = one["xetrieval"]
        assert short.keys() == SHARES
        shares = sum(each["share"] for each in short["features"]) + short["other_features"]
        assert short["bias"] + shares + short["remainder"] == pytest.approx(hit.score, abs=1e-5)
        assert short["features"][0]["name"] == hit.explanation.terms[0].name
        assert len(short["features"]) <= 3


@pytest.mark.parametrize("by", ["dense", "bm25", "sparse"])
def test_content_is_recorded_only_if_asked_for(by: str, index: Index, spans: InMemorySpanExporter) -> None:
    if by == "bm25":
        pytest.importorskip("bm25s", reason='pip install "xetrieval[index]"')
    traced(index.search, "docs", sample=1)(QUERY, 2, by)
    text = json.dumps(dict(spans.get_finished_spans()[0].attributes))
    for word in {word for each in (QUERY, *TEXTS.values()) for word in each.split()} - {"of", "and", "more"}:
        assert word not in text
    traced(index.search, "docs", sample=1, content=True)(QUERY, 2, by)
    found = dict(spans.get_finished_spans()[1].attributes)
    assert found["gen_ai.retrieval.query.text"] == found["input.value"] == QUERY
    assert found["retrieval.documents.0.document.content"] in TEXTS.values()


def test_a_sample_is_explained_and_without_an_sdk_nothing_is(
    index: Index, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = traced(index.search, "docs", sample=0.3)
    for _ in range(200):
        search(Q, 1)
    explained = sum(span.attributes.get("xetrieval.explained_hits", 0) for span in spans.get_finished_spans())
    assert 30 <= explained <= 95
    assert all("gen_ai.retrieval.documents" in span.attributes for span in spans.get_finished_spans())
    spans.clear()
    monkeypatch.undo()
    monkeypatch.setattr("xetrieval.connect.otel.summary", lambda *_: 1 / 0)
    assert len(traced(index.search, "docs", sample=1)(Q, 2)) == 2
    assert not spans.get_finished_spans()


def test_searches_of_stores_are_traced_too(spans: InMemorySpanExporter) -> None:
    hits = [StoreHit(name, None, vector, TEXTS[name]) for name, vector in zip(IDS[:2], VECTORS, strict=False)]
    traced(lambda query, k: explain_hits(random_explainer(), query, hits), "store", sample=1)(QUERY, 2)
    found = spans.get_finished_spans()[0].attributes
    assert [one["id"] for one in json.loads(found["gen_ai.retrieval.documents"])] == IDS[:2]


def test_errors_are_the_searchs_own_and_quote_nothing(index: Index, spans: InMemorySpanExporter) -> None:
    with pytest.raises(InputError, match="concept query"):
        traced(index.search, "docs")('"secret words"', by="concept")
    (span,) = spans.get_finished_spans()
    assert span.attributes["error.type"] == "InputError"
    assert not span.status.is_ok
    assert "secret" not in span.to_json()


@pytest.mark.parametrize("content", [False, True])
def test_a_search_succeeds_whatever_goes_wrong_when_it_is_recorded(spans: InMemorySpanExporter, content: bool) -> None:
    class Torn:
        """A hit whose explanation cannot be read."""

        doc_id, score = "d1", 0.5

        @property
        def explanation(self) -> Explanation:
            raise OSError("secret words: file not found")

    for hit in (Torn(), {"doc_id": "d1"}):
        found = [hit]
        assert traced(lambda query: found, "docs", sample=1, content=content)("secret words") is found  # noqa: B023
    first, second = (dict(span.attributes) for span in spans.get_finished_spans())
    assert (first["xetrieval.error"], second["xetrieval.error"][-5:]) == (
        "AttributeError" if content else "OSError",
        "Error",
    )
    assert second["gen_ai.operation.name"] == "retrieval"
    assert content or "secret" not in "".join(span.to_json() for span in spans.get_finished_spans())


def explained(fraction: float, mode: str = "dense") -> Explanation:
    """One hit whose features explain this fraction of its score without the bias."""
    term = Term("feature", 1, "tea", 0.5 * fraction)
    return Explanation(0.6, 0.1, 0.5 - 0.5 * fraction, (term,), mode=mode)


def test_the_alarm_counts_searches_that_features_hardly_explain() -> None:
    alarm = DriftAlarm(random_explainer(), window=10, threshold=0.3, least=4, untrained=0.2)
    assert [alarm.add([explained(part)]).word for part in (0.9, 0.6, 0.3)] == [
        *("good here", "partly", "not made for this")
    ]
    assert (alarm.fraction, alarm.raised) == (None, False)
    alarm.add([explained(0.9), explained(0.5)])
    assert (alarm.fraction, alarm.raised) == (0.25, False)
    alarm.add([explained(0.1)])
    assert (alarm.fraction, alarm.raised) == (0.4, True)
    for _ in range(9):
        alarm.add([explained(0.9)])
    assert (alarm.fraction, alarm.raised) == (0.1, False), "only the window counts"
    flat = replace(explained(0.1), score=0.11, remainder=-0.04)
    assert [alarm.add(one) for one in ([], [flat], [explained(0.1, "bm25")])] == [None] * 3


def test_the_alarm_is_an_event_and_a_metric(
    index: Index, spans: InMemorySpanExporter, gauges: InMemoryMetricReader
) -> None:
    alarm = DriftAlarm(index, window=20, threshold=0.5, least=5, untrained=0.95)  # nothing is that good
    search = traced(index.search, "docs", sample=1, alarm=alarm)
    for number in range(8):
        assert alarm.raised == (number >= 5)
        search(VECTORS[number], 1)
    events = [event for span in spans.get_finished_spans() for event in span.events]
    assert [event.name for event in events] == ["xetrieval.drift"]
    assert events[0].attributes == {METRIC: 1.0, "xetrieval.threshold": 0.5}
    assert spans.get_finished_spans()[-1].attributes["xetrieval.verdict"] == "not made for this"
    (metric,) = gauges.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    assert (metric.name, metric.data.data_points[0].value) == (METRIC, 1.0)


def test_settings_that_make_no_sense_are_refused(index: Index) -> None:
    for options, message in (
        ({"sample": 1.5}, "sample must be a number from 0 to 1"),
        ({"sample": True}, "sample must be a number from 0 to 1"),
        ({"sample": float("nan")}, "sample must be a number from 0 to 1"),
        ({"top": 0}, "top must be a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            traced(index.search, "docs", **options)
    with pytest.raises(InputError, match="give a function"):
        traced(index, "docs")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="name of what is searched"):
        traced(index.search, "")
    for alarm, message in (
        ({"window": 0}, "window must be a whole number"),
        ({"least": 600}, "more than the window"),
        ({"threshold": -0.1}, "threshold must be"),
        ({}, "no figure for untrained directions"),
    ):
        with pytest.raises(InputError, match=message):
            DriftAlarm(index, **alarm)


@pytest.mark.connect
@pytest.mark.slow
def test_a_phoenix_server_gives_the_features_back(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec("phoenix") is None or find_spec("opentelemetry.exporter.otlp") is None:
        pytest.skip("pip install arize-phoenix opentelemetry-exporter-otlp-proto-http")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    settings = {"PORT": ports[0], "GRPC_PORT": ports[1], "HOST": "127.0.0.1", "WORKING_DIR": tmp_path}
    settings |= {"TELEMETRY_ENABLED": "false", "ALLOW_EXTERNAL_RESOURCES": "false"}
    chosen = {f"PHOENIX_{name}": str(value) for name, value in settings.items()}
    program = shutil.which("phoenix", path=str(Path(sys.executable).parent))
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen([program, "serve"], env={**os.environ, **chosen}, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{ports[0]}"
    try:
        answer = _json_of(f"{address}/v1/projects", 180)
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces")))
        monkeypatch.setattr(trace, "get_tracer", lambda name: provider.get_tracer(name))
        hits = traced(index.search, "docs", sample=1)(QUERY, k=2)
        provider.shutdown()
        for _ in range(60):
            answer = _json_of(f"{address}/v1/projects/default/spans?limit=5", 10)
            if answer["data"]:
                break
            time.sleep(0.5)
        (span,) = answer["data"]
        assert (span["name"], span["span_kind"]) == ("retrieval docs", "RETRIEVER")
        text = json.dumps(span["attributes"])
        for hit in hits:
            assert hit.doc_id in text
        assert hits[0].explanation.terms[0].name in text
        assert any("xetrieval" in name or "xetrieval" in str(value) for name, value in span["attributes"].items())
    finally:
        server.terminate()
        server.wait()


def _json_of(url: str, seconds: int) -> Any:
    """What a server answers, once it does."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
