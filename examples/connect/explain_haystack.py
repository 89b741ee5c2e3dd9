"""Haystack: a component after a retriever says why it returned each document.

pip install "xetrieval[minilm,haystack]"
python examples/connect/explain_haystack.py
"""

from __future__ import annotations

# ruff: noqa: I001  # our component first: it switches Haystack's usage statistics off
import xetrieval
from xetrieval.connect.haystack import ExplainDocuments
from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"
EXPLAINER = xetrieval.load("minilm")  # of your own corpus: Store(...).learn("my-index")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    vectors = dict(zip(TEXTS, VECTORS.tolist(), strict=True))
    store.write_documents([Document(id=name, content=text, embedding=vectors[name]) for name, text in TEXTS.items()])
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=2, return_embedding=True))
    pipeline.add_component("explain", ExplainDocuments("minilm", metric="cosine"))
    pipeline.connect("retriever.documents", "explain.documents")
    q = EXPLAINER.encoder.encode_query([QUERY])[0].tolist()
    found = pipeline.run({"retriever": {"query_embedding": q}, "explain": {"query_embedding": q}})
    for document in found["explain"]["documents"]:
        print(document.id, document.meta["xetrieval"]["features"][:2])
        print("    remainder (not explained)", document.meta["xetrieval"]["remainder"])


if __name__ == "__main__":
    main()
