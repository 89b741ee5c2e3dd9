"""An index written into stores: the same ids, vectors, codes and names; whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_explainer
from connect_data import IDS, QUERY, TEXTS, VECTORS, Q
from elastic_stub import Stub, served
from typer.testing import CliRunner

from xetrieval import connect
from xetrieval.cli.app import app
from xetrieval.connect import write_index
from xetrieval.connect.elasticsearch import Elasticsearch
from xetrieval.connect.opensearch import OpenSearch
from xetrieval.errors import InputError, MismatchError
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.build.stores import open_store

ENGINES = {"elasticsearch": Elasticsearch, "opensearch": OpenSearch}
SCORES = VECTORS @ Q
CODES = random_explainer().sae.encode(VECTORS)
SHARED = random_explainer().sae.encode(Q[None]).dense(128) @ CODES.dense(128).T  # of the query's and documents' codes


def index_of(folder: Path, **more: Any) -> Index:
    rows = [{"_id": name, "text": text, "year": 2000 + n, **more} for n, (name, text) in enumerate(TEXTS.items())]
    (folder / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_index(Corpus((folder / "c.jsonl",)), random_explainer(), folder / "index")
    return open_index(folder / "index")


def names_of(index: Index) -> list[list[str]]:
    """The names of the strongest features of each document, as the index's own explainer gives them."""
    codes = index.explainer.sae.encode(VECTORS)
    strongest = [ids[np.argsort(-v, kind="stable")[:8]] for ids, v in zip(codes.features, codes.values, strict=True)]
    return [[index.explainer.features[j].label or f"feature {j}" for j in ids] for ids in strongest]


def rare_name(index: Index) -> tuple[str, set[str]]:
    """A name that few documents have, and these."""
    names = names_of(index)
    having = {name: {IDS[row] for row in range(12) if name in names[row]} for each in names for name in each}
    return min(having.items(), key=lambda item: (len(item[1]), item[0]))


def check_store(store: connect.store.Store) -> None:
    """What was exported is found, explained and read as it was."""
    found = store.search(QUERY, 3, explainer=random_explainer())
    assert [one.doc_id for one in found] == [IDS[row] for row in np.argsort(-SCORES)[:3]]
    assert [one.note for one in found] == [""] * 3, "not rounded"
    assert [one.document for one in found] == [TEXTS[one.doc_id] for one in found]
    records = {record.document.id: record for record in store.records()}
    assert sorted(records) == IDS
    np.testing.assert_allclose([records[name].vector for name in IDS], VECTORS, atol=1e-6)
    assert [records[name].document.text for name in IDS] == [*TEXTS.values()]
    assert [records[name].document.fields["metadata"]["year"] for name in IDS] == [*range(2000, 2012)]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return index_of(tmp_path)


def test_qdrants_engine_has_the_codes_and_filters_by_named_features(index: Index, tmp_path: Path) -> None:
    edge = pytest.importorskip("qdrant_edge", reason='pip install "xetrieval[qdrant-edge]"')
    assert write_index(index, f"qdrant-edge://{tmp_path}/shard#dense") == 12
    store = open_store(f"qdrant-edge://{tmp_path}/shard#dense")
    assert isinstance(store, connect.QdrantEdge)
    check_store(store)
    code = random_explainer().sae.encode(Q[None])
    active = code.values[0] > 0
    sparse = edge.SparseVector(code.features[0][active].tolist(), code.values[0][active].tolist())
    query = edge.Query.Nearest(sparse, using="xetrieval")
    best = store.shard.query(edge.QueryRequest(limit=1, query=query, with_payload=True))[0]
    assert best.payload["id"] == IDS[int(SHARED.argmax())]
    assert best.score == pytest.approx(SHARED.max(), rel=1e-4)
    assert best.payload["xetrieval"] == names_of(index)[int(SHARED.argmax())]
    name, having = rare_name(index)
    named = edge.Filter(must=[edge.FieldCondition("xetrieval", match=edge.MatchValue(name))])
    found = store.shard.query(edge.QueryRequest(limit=12, query=query, filter=named, with_payload=True))
    assert {point.payload["id"] for point in found} == having
    assert 0 < len(having) < 12
    store.shard.close()
    with pytest.raises(InputError, match="exists already"):
        write_index(index, f"qdrant-edge://{tmp_path}/shard#dense")


@pytest.mark.slow
def test_a_collection_of_qdrants_client(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("qdrant_client", reason='pip install "xetrieval[qdrant]"')
    target = f"qdrant://{tmp_path}/db#docs"
    with monkeypatch.context() as broken:
        broken.setattr("xetrieval.connect.qdrant.uuid_of", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_index(index, target)
        assert not (tmp_path / "db").exists()
    write_index(index, target)
    store = open_store(target)
    assert isinstance(store, connect.Qdrant)
    check_store(store)
    match = module.models.FieldCondition(key="xetrieval", match=module.models.MatchValue(value=rare_name(index)[0]))
    points = store.client.scroll("docs", scroll_filter=module.models.Filter(must=[match]))[0]
    assert {point.payload["id"] for point in points} == rare_name(index)[1]
    connect.Qdrant.write(index, store.client, "more")
    with pytest.raises(InputError, match="qdrant:docs: exists already"):
        connect.Qdrant.write(index, store.client, "docs")
    monkeypatch.setattr("xetrieval.connect.qdrant.uuid_of", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        connect.Qdrant.write(index, store.client, "third")
    assert not store.client.collection_exists("third"), "an incomplete collection is removed"
    store.client.close()
    with pytest.raises(InputError, match="qdrant:docs: "):
        write_index(index, "qdrant+http://127.0.0.1:9#docs")


@pytest.mark.parametrize("engine", ENGINES)
def test_bulk_requests_mapping_and_queries(engine: str, index: Index, tmp_path: Path) -> None:
    write_index(index, f"{engine}://{tmp_path}/out#docs")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("README.md", "bulk-0001.ndjson", "mapping.json", "queries.json")
    ]
    assert "names of features are words" in (tmp_path / "out" / "README.md").read_text()
    fields = json.loads((tmp_path / "out" / "mapping.json").read_text())["mappings"]["properties"]
    assert fields["xetrieval"]["type"] == {"elasticsearch": "sparse_vector", "opensearch": "rank_features"}[engine]
    assert 64 in fields["vector"].values()
    stub = Stub(tmp_path / "out", "docs")
    queries = json.loads((tmp_path / "out" / "queries.json").read_text())
    for name, query in queries.items():
        found = [hit["_id"] for hit in stub.search("docs", query)["hits"]["hits"]]
        assert IDS[0] in found, name
    for row, name in enumerate(IDS):
        assert stub.rows[name]["xetrieval_names"] == names_of(index)[row]
        assert stub.rows[name]["metadata"] == {"year": 2000 + row}
    with pytest.raises(InputError, match="exists already"):
        write_index(index, f"{engine}://{tmp_path}/out#docs")
    with pytest.raises(InputError, match="lower-case"):
        write_index(index, f"{engine}://{tmp_path}/other#Docs")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vectors_in_source", [True, False])
def test_hits_of_the_stub_are_explained(engine: str, vectors_in_source: bool, index: Index, tmp_path: Path) -> None:
    if engine == "opensearch" and not vectors_in_source:
        pytest.skip("only Elasticsearch leaves vectors out")
    write_index(index, f"{engine}://{tmp_path}/out#docs")
    stub = Stub(tmp_path / "out", "docs", vectors_in_source)
    store = ENGINES[engine](stub, "docs")
    check_store(store)
    body = store.features_body(QUERY, random_explainer(), 12)
    best = stub.search("docs", body)["hits"]["hits"][0]
    assert (best["_id"], best["_score"]) == (IDS[int(SHARED.argmax())], pytest.approx(SHARED.max(), rel=1e-3))
    named = store.features_body(Q, random_explainer(), 12, rare_name(index)[:1])
    found = {hit["_id"] for hit in stub.search("docs", named)["hits"]["hits"]}
    assert found == rare_name(index)[1]
    assert store.quantised is False


@pytest.mark.parametrize("engine", ENGINES)
def test_a_response_gets_named_shares_in_its_fields(engine: str, index: Index, tmp_path: Path) -> None:
    write_index(index, f"{engine}://{tmp_path}/out#docs")
    store = ENGINES[engine](Stub(tmp_path / "out", "docs"), "docs")
    body = {"size": 3, **store._wanted(), **store.nearest_body("vector", Q, 3)}
    response = store.client.search("docs", body)
    first = response["hits"]["hits"][0]
    stub = {"value": 1, "description": "No Explanation", "details": []}
    first["_explanation"] = {"value": 0.9, "description": "sum of:", "details": [stub]}
    before = json.dumps(response)
    made = store.named_shares(response, QUERY, random_explainer(), top=3)
    assert json.dumps(response) == before, "the response itself is not changed"
    for hit in made["hits"]["hits"]:
        (found,) = hit["fields"]["xetrieval"]
        assert 2 * hit["_score"] - 1 == pytest.approx(found["score"], abs=1e-5)
        shares = sum(one["share"] for one in found["features"]) + found["other_features"]
        assert found["bias"] + shares + found["remainder"] == pytest.approx(found["score"], abs=1e-5)
    (filled,) = made["hits"]["hits"][0]["_explanation"]["details"]
    assert filled["value"] == pytest.approx(first["_score"])
    (cosine,) = filled["details"]
    assert sum(part["value"] for part in cosine["details"]) == pytest.approx(cosine["value"], abs=1e-5)
    assert any(part["description"].startswith("label ") for part in cosine["details"])
    with pytest.raises(InputError, match="sub_query_scores"):
        store.named_shares(response, QUERY, random_explainer(), sub_query=1)
    for hit in response["hits"]["hits"]:  # a hybrid query: BM25, then the vector
        hit["fields"] = {**hit.get("fields", {}), "hybridization_sub_query_scores": [3.1, hit["_score"]]}
        hit["_score"] = 0.7
    again = store.named_shares(response, QUERY, random_explainer(), sub_query=1)
    assert again["hits"]["hits"][0]["fields"]["xetrieval"][0]["score"] == pytest.approx(SCORES.max(), abs=1e-5)
    with pytest.raises(MismatchError):
        store.named_shares(response, QUERY, random_explainer())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_real_clients_read_the_stub(engine: str, index: Index, tmp_path: Path) -> None:
    pytest.importorskip({"opensearch": "opensearchpy"}.get(engine, engine), reason=f'pip install "xetrieval[{engine}]"')
    write_index(index, f"{engine}://{tmp_path}/out#docs")
    with served(Stub(tmp_path / "out", "docs")) as address:
        store = open_store(f"{engine}+http://{address}#docs")
        assert store.name == f"{engine}:docs"
        check_store(store)
        store.client.close()
    with pytest.raises(InputError, match=f"{engine}:docs: "):
        open_store(f"{engine}+http://127.0.0.1:9#docs")


def test_other_scores_and_rounded_vectors_are_told_apart(index: Index, tmp_path: Path) -> None:
    for engine, change, quantised in (
        ("elasticsearch", {"index_options": {"type": "int8_hnsw"}}, True),
        ("elasticsearch", {"similarity": "l2_norm"}, None),
        ("opensearch", {"mode": "on_disk"}, True),
        ("opensearch", {"method": {"space_type": "l2"}}, None),
    ):
        target = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        write_index(index, f"{engine}://{target}#docs")
        stub = Stub(target, "docs")
        stub.mapping["mappings"]["properties"]["vector"] |= change
        if quantised is None:
            with pytest.raises(InputError, match="are not converted"):
                ENGINES[engine](stub, "docs")
        else:
            assert ENGINES[engine](stub, "docs").quantised


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("chroma://x#docs", "unknown kind of target"),
        ("nonsense", "unknown kind of target"),
        ("elasticsearch://x", "name the table after a #"),
        ("elasticsearch://#docs", "nothing before the #"),
        ("elasticsearch://x#docs?id=a", "no columns to choose"),
    ],
)
def test_targets_that_cannot_be_are_refused(target: str, message: str, index: Index) -> None:
    with pytest.raises(InputError, match=message):
        write_index(index, target)


def test_metadata_that_would_hide_a_field_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_edge", reason='pip install "xetrieval[qdrant-edge]"')
    clash = index_of(tmp_path, metadata={"xetrieval": "x"})
    with pytest.raises(InputError, match="its metadata has a field 'xetrieval'"):
        write_index(clash, f"qdrant-edge://{tmp_path}/shard#dense")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["c.jsonl", "index"]
    assert write_index(clash, f"elasticsearch://{tmp_path}/out#docs") == 12, "metadata has a field of its own there"


def test_the_command_exports_and_says_what_is_in_the_files(index: Index, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["index", "export", str(index.folder), "--to", f"elasticsearch://{out}#docs"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    assert "12 documents" in done.output.replace("\n", " ")
    assert "share it only with those who may see them" in " ".join(done.output.split())
    delete_documents(index.folder, IDS[1:])
    delete_documents(index.folder, IDS[:1])
    with pytest.raises(InputError, match="no documents to export"):
        write_index(open_index(index.folder), f"elasticsearch://{tmp_path}/none#docs")
    assert not (tmp_path / "none").exists()


def test_chunks_keep_their_ids_and_name_their_document(tmp_path: Path) -> None:
    from xetrieval.configs import ChunkConfig

    (tmp_path / "c.jsonl").write_text(json.dumps({"_id": "long", "title": "T", "text": "one two three. " * 60}) + "\n")
    corpus = Corpus((tmp_path / "c.jsonl",), ChunkConfig(tokens=40))
    build_index(corpus, random_explainer(), tmp_path / "index")
    write_index(open_index(tmp_path / "index"), f"elasticsearch://{tmp_path}/out#docs")
    rows = Stub(tmp_path / "out", "docs").rows
    assert len(rows) > 1
    assert next(iter(rows)) == "long#1"
    assert {row["metadata"]["parent"] for row in rows.values()} == {"long"}
    assert all(row["title"] == "T" and not row["text"].startswith("T") for row in rows.values())


def test_a_field_named_parent_does_not_hide_the_document_of_a_chunk(tmp_path: Path) -> None:
    from xetrieval.configs import ChunkConfig

    line = {"_id": "long", "title": "T", "text": "one two three. " * 60, "metadata": {"parent": "mine"}}
    (tmp_path / "c.jsonl").write_text(json.dumps(line) + "\n")
    build_index(Corpus((tmp_path / "c.jsonl",), ChunkConfig(tokens=40)), random_explainer(), tmp_path / "index")
    with pytest.raises(InputError, match="its metadata has a field 'parent'"):
        write_index(open_index(tmp_path / "index"), f"elasticsearch://{tmp_path}/out#docs")
    assert not (tmp_path / "out").exists()
