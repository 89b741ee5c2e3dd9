"""OpenTelemetry: a span for each search with its explanations, here printed; give your own exporter instead.

pip install "xetrieval[minilm,otel]" opentelemetry-sdk
python examples/connect/trace_searches.py
"""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

import xetrieval
from xetrieval.connect import StoreHit, explain_hits
from xetrieval.connect.otel import traced

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
EXPLAINER = xetrieval.load("minilm")


def search(query: str, k: int) -> list[xetrieval.Explanation]:
    hits = [StoreHit(name, text=text) for name, text in TEXTS.items()]  # of your store
    return sorted(explain_hits(EXPLAINER, query, hits), key=lambda hit: -hit.score)[:k]


def main() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    trace.set_tracer_provider(provider)
    traced_search = traced(search, "animals", sample=1)  # or traced(index.search, ...)
    print(traced_search("how long do dogs sleep", k=1)[0])
    provider.shutdown()


if __name__ == "__main__":
    main()
