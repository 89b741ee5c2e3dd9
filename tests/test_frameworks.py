"""Explanations in the documents of LangChain, LlamaIndex and Haystack."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_explainer
from connect_data import IDS, QUERY, TEXTS, VECTORS, Q

from xetrieval.errors import MismatchError
from xetrieval.index import Corpus, build_index, open_index

SCORES = dict(zip(IDS, (VECTORS @ Q).tolist(), strict=True))
BEST = max(SCORES, key=lambda name: SCORES[name])


@pytest.fixture
def explainer_folder(tmp_path: Path) -> Path:
    random_explainer().save(tmp_path / "explainer")
    return tmp_path / "explainer"


def check_summary(found: dict[str, Any], doc_id: str, top: int = 4) -> None:
    """The parts add up to the store's score, and the record is small."""
    assert found["score"] == pytest.approx(SCORES[doc_id], abs=1e-5)
    assert len(found["features"]) <= top
    shares = sum(feature["share"] for feature in found["features"]) + found["other_features"]
    assert found["bias"] + shares + found["remainder"] == pytest.approx(found["score"], abs=1e-5)
    assert len(json.dumps(found)) < 1200


class TestLangChain:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("langchain_core", reason='pip install "xetrieval[langchain]"')

    def test_documents_behind_any_retriever_are_explained(self) -> None:
        from langchain_core.vectorstores import InMemoryVectorStore

        from xetrieval.connect.langchain import ExplainDocuments, ExplainerEmbeddings

        explainer = random_explainer()
        embeddings = ExplainerEmbeddings(explainer)
        store = InMemoryVectorStore(embeddings)
        store.add_texts([*TEXTS.values()], ids=IDS)
        found = store.as_retriever(search_kwargs={"k": 3}).invoke(QUERY)
        for given in (embeddings, None):  # theirs, or our own encoder
            explained = ExplainDocuments(explainer=explainer, embeddings=given).compress_documents(found, QUERY)
            assert [one.id for one in explained] == [one.id for one in found]
            assert explained[0].id == BEST
            for one in explained:
                check_summary(one.metadata["xetrieval"], one.id)
                assert one.metadata["score"] == one.metadata["xetrieval"]["score"]
        assert ExplainDocuments(explainer=explainer).compress_documents([], QUERY) == []
        words = ExplainDocuments(explainer=explainer, words=True).compress_documents(found, QUERY)
        assert any("words" in feature for one in words for feature in one.metadata["xetrieval"]["features"])
        wrong = [one.model_copy(update={"metadata": {"score": 0.123}}) for one in found]
        assert ExplainDocuments(explainer=explainer).compress_documents(wrong, QUERY)[0].metadata["score"] == 0.123
        with pytest.raises(MismatchError, match=r"0\.123 \(cosine\)"):
            ExplainDocuments(explainer=explainer, metric="cosine").compress_documents(wrong, QUERY)

    def test_an_index_is_a_retriever(self, tmp_path: Path) -> None:
        from xetrieval.connect.langchain import IndexRetriever

        rows = [{"_id": name, "text": text, "metadata": {"n": n}} for n, (name, text) in enumerate(TEXTS.items())]
        (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        build_index(Corpus((tmp_path / "c.jsonl",)), random_explainer(), tmp_path / "index")
        for index in (tmp_path / "index", str(tmp_path / "index"), open_index(tmp_path / "index")):
            found = IndexRetriever(index=index, k=2).invoke(QUERY)
            assert found[0].id == BEST
            assert (found[0].page_content, found[0].metadata["n"]) == (TEXTS[BEST], IDS.index(BEST))
            check_summary(found[0].metadata["xetrieval"], BEST)
        assert IndexRetriever(index=index, filters=["n>8"]).invoke(QUERY)[0].metadata["n"] > 8

    def test_their_embeddings_are_an_encoder(self) -> None:
        from xetrieval.connect.langchain import ExplainerEmbeddings, encoder_of

        encoder = encoder_of(ExplainerEmbeddings(random_explainer()), "mine", "1")
        np.testing.assert_allclose(encoder.encode_query([QUERY])[0], Q, atol=1e-6)
        np.testing.assert_allclose(encoder.encode_document([*TEXTS.values()]), VECTORS, atol=1e-6)


@pytest.mark.slow
def test_llama_index_nodes_are_explained_and_prompts_stay_clean() -> None:
    pytest.importorskip("llama_index.core", reason='pip install "xetrieval[llama-index]"')
    from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode

    from xetrieval.connect.llama_index import ExplainNodes

    for with_vectors in (True, False):
        nodes = [
            NodeWithScore(
                node=TextNode(id_=name, text=TEXTS[name], embedding=VECTORS[row].tolist() if with_vectors else None),
                score=SCORES[name],
            )
            for row, name in enumerate(IDS)
        ]
        query = QueryBundle(QUERY, embedding=Q.tolist() if with_vectors else None)
        found = ExplainNodes(explainer=random_explainer(), metric="cosine").postprocess_nodes(nodes, query)
        for one in found:
            check_summary(one.node.metadata["xetrieval"], one.node.node_id)
            for mode in (MetadataMode.LLM, MetadataMode.EMBED):
                assert one.node.get_content(mode) == TEXTS[one.node.node_id]


@pytest.mark.slow
def test_a_haystack_pipeline_explains_and_is_saved(explainer_folder: Path) -> None:
    pytest.importorskip("haystack", reason='pip install "xetrieval[haystack]"')
    from xetrieval.connect.haystack import ExplainDocuments

    assert os.environ["HAYSTACK_TELEMETRY_ENABLED"] == "False"
    from haystack import Document, Pipeline
    from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    documents = [
        Document(id=name, content=TEXTS[name], embedding=VECTORS[row].tolist()) for row, name in enumerate(IDS)
    ]
    store.write_documents(documents)
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=3, return_embedding=True))
    pipeline.add_component("explain", ExplainDocuments(str(explainer_folder), metric="cosine"))
    pipeline.connect("retriever.documents", "explain.documents")
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["xetrieval.connect.haystack"])
    asked = {"retriever": {"query_embedding": Q.tolist()}, "explain": {"query_embedding": Q.tolist()}}
    for one in (pipeline, again):
        found = one.run(asked)["explain"]["documents"]
        assert found[0].id == BEST
        for document in found:
            check_summary(document.meta["xetrieval"], document.id)
    bare = ExplainDocuments(str(explainer_folder)).run([Document(id=BEST, content=TEXTS[BEST])], QUERY)
    check_summary(bare["documents"][0].meta["xetrieval"], BEST)
