"""LangChain: a retriever over any vector store, and why it returned each document.

pip install "xetrieval[minilm,langchain]"
python examples/connect/explain_langchain.py
"""

from __future__ import annotations

from langchain_core.vectorstores import InMemoryVectorStore

from xetrieval.connect.langchain import ExplainDocuments, ExplainerEmbeddings

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"


def main() -> None:
    embeddings = ExplainerEmbeddings("minilm")  # yours, if they are those of the explainer
    store = InMemoryVectorStore(embeddings)
    store.add_texts([*TEXTS.values()], ids=[*TEXTS])
    found = store.as_retriever(search_kwargs={"k": 2}).invoke(QUERY)
    for document in ExplainDocuments(embeddings=embeddings).compress_documents(found, QUERY):
        explained = document.metadata["xetrieval"]
        print(document.id, round(explained["score"], 4))
        for feature in explained["features"]:
            print("   ", feature["name"], round(feature["share"], 4))
        print("    remainder (not explained)", round(explained["remainder"], 4))


if __name__ == "__main__":
    main()
