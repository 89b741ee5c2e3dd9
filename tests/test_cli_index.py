"""index, search, why and steer as a person types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, unit
from index_data import records, write_corpus
from test_cli import Done, refused, run

from xetrieval.data.sources import stream_source
from xetrieval.errors import InputError
from xetrieval.index import open_index


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("cli-index")
    random_explainer().save(home / "toy")
    write_corpus(home / "corpus.jsonl", records(120))
    done = run("index", "build", home / "corpus.jsonl", "--output", home / "index", "-x", home / "toy")
    assert done.returncode == 0, done.stderr
    assert "120 added; 120 documents" in done.stderr
    return home


def as_json(done: Done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_search_prints_hits_and_gives_them_as_json(home: Path) -> None:
    found = as_json(run("search", home / "index", "word1 word2", "-k", 4, "--explain", "--format", "json", "-n", 2))
    assert found["query"] == "word1 word2"
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3, 4]
    told = {"rank", "doc_id", "score", "above_unrelated", "title", "snippet", "metadata", "read", "explanation"}
    assert set(found["hits"][0]) == told
    assert len(found["hits"][0]["explanation"]["terms"]) == 2
    shown = run("search", home / "index", "word1 word2", "-k", 4, "--explain").stdout
    for hit in found["hits"]:
        assert hit["doc_id"] in shown
        assert f"{hit['score']:+.4f}" in shown
    for by in ("sparse", "bm25", "hybrid"):
        assert as_json(run("search", home / "index", "word1 word2", "--by", by, "--format", "json"))["hits"]
    assert "label 3" in run("search", home / "index", '"label 3"', "--by", "concept", "--explain").stdout
    filtered = run("search", home / "index", "word1", "--filter", "site=ai", "--format", "json", "-k", 60)
    assert {hit["metadata"]["site"] for hit in as_json(filtered)["hits"]} == {"ai"}
    assert "no document matches" in run("search", home / "index", "zzz", "--by", "bm25").stderr


def test_an_overview_goes_with_the_hits(home: Path) -> None:
    ids = [hit["doc_id"] for hit in as_json(run("search", home / "index", "word1", "--format", "json"))["hits"]]
    shown = run("search", home / "index", "word1", "--overview", "--bad", ids[0], "--bad", ids[3]).stdout
    assert "what the 10 hits have in common" in shown
    assert "what brings in the bad hits" in shown
    record = as_json(run("search", home / "index", "word1", "--overview", "--format", "json"))["overview"]
    assert set(record) == {"hits", "common", "splitting"}
    refused(run("search", home / "index", "word1", "--overview", "--good", "absent"), "not one of the 10 hits")


@pytest.mark.slow
def test_why_says_the_rank_the_rival_and_the_change(home: Path, tmp_path: Path) -> None:
    hits = as_json(run("search", home / "index", "word1 word2", "-k", 30, "--format", "json"))["hits"]
    low = run("why", home / "index", "word1 word2", hits[20]["doc_id"], "--counterfactual", "--evidence").stdout
    assert "rank 21 of 120" in low
    assert f"compared below with {hits[9]['doc_id']}, rank 10" in low
    assert "enter the top 10" in low or "no factor up to" in low
    assert "where the difference comes from" in low
    record = as_json(
        run("why", home / "index", "word1 word2", hits[0]["doc_id"], "--counterfactual", "--format", "json")
    )
    assert (record["rank"], record["documents"]) == (1, 120)
    assert record["explanation"]["score"] == pytest.approx(hits[0]["score"], abs=1e-6)
    assert "contrast" not in record
    both = as_json(
        run("why", home / "index", "word1 word2", hits[0]["doc_id"], "--over", hits[1]["doc_id"], "--format", "json")
    )
    assert both["contrast"]["difference"] == pytest.approx(hits[0]["score"] - hits[1]["score"], abs=1e-6)
    page = tmp_path / "why.html"
    done = run("why", home / "index", "word1 word2", hits[20]["doc_id"], "--format", "html", "--output", page)
    assert done.returncode == 0, done.stderr
    assert page.read_text().startswith("<!doctype html>")
    assert f"{hits[20]['doc_id']} rank 21 of 120" in page.read_text()
    text = tmp_path / "why.txt"
    run("why", home / "index", "word1 word2", hits[0]["doc_id"], "--counterfactual", "--output", text)
    assert "rank 1 of 120" in text.read_text()
    assert "the top 10" in text.read_text()
    sparse = run("why", home / "index", "word1 word2", hits[0]["doc_id"], "--by", "sparse")
    assert "activation" in sparse.stdout
    refused(run("why", home / "index", "word1", "absent"), "no document 'absent'")
    refused(run("why", home / "index", "word1", "d1", "--by", "bm25", "--over", "d2"), "the encoder's own ranking")


@pytest.mark.slow
def test_a_profile_is_learned_and_applied(home: Path, tmp_path: Path) -> None:
    index = open_index(home / "index")
    feature = int(np.argmax(index.frequency))
    clicks = tmp_path / "clicks.jsonl"
    lines = [
        {"query": f"word{i} word{i + 1}", "doc_id": index.search(f"word{i} word{i + 1}", 1)[0].doc_id}
        for i in range(12)
    ]
    clicks.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run("steer", "suggest", home / "index", "--clicks", clicks, "--output", tmp_path / "p.json")
    assert done.returncode == 0, done.stderr
    assert "no gain" in done.stdout  # every query has what it wants first
    (tmp_path / "q.json").write_text(
        json.dumps({"factors": {str(feature): 0.0}, "sae_digest": index.explainer.sae.digest})
    )
    shown = run("steer", "apply", home / "index", "word1 word2", "--profile", tmp_path / "q.json").stdout
    assert "before" in shown
    record = as_json(
        run("steer", "apply", home / "index", "word1 word2", "--profile", tmp_path / "q.json", "--format", "json")
    )
    steered = as_json(
        run("search", home / "index", "word1 word2", "--steer", tmp_path / "q.json", "--explain", "--format", "json")
    )
    assert [hit["doc_id"] for hit in record["hits"]] == [hit["doc_id"] for hit in steered["hits"]]
    assert steered["hits"][0]["explanation"]["steered"][0] | {"label": None} == {
        "feature_id": feature,
        "label": None,
        "factor": 0.0,
    }
    refused(run("steer", "suggest", home / "index", "--output", tmp_path / "x.json"), "give --data FOLDER")


@pytest.mark.slow
def test_an_index_is_changed_and_checked(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    assert run("index", "build", home / "corpus.jsonl", "--output", folder, "-x", home / "toy").returncode == 0
    write_corpus(tmp_path / "more.jsonl", records(125)[118:])
    assert "5 added, 2 unchanged; 125 documents" in run("index", "add", folder, tmp_path / "more.jsonl").stderr
    assert "124 documents left" in run("index", "delete", folder, "d3").stderr
    assert "undamaged" in run("index", "verify", folder).stderr
    info = run("index", "info", folder).stdout
    assert "124 (1 deleted)" in info
    assert "n, site, tags" in info
    vectors = folder / "shards" / "000000" / "vectors.f32"
    vectors.write_bytes(b"x" + vectors.read_bytes()[1:])
    refused(run("index", "verify", folder), "vectors.f32: differs")
    refused(run("index", "build", tmp_path / "more.jsonl", "--output", folder), "by the explainer")
    refused(run("index", "add", tmp_path / "absent", tmp_path / "more.jsonl"), "there is no index to add to")
    refused(run("index", "build", "--output", tmp_path / "i"), "give a corpus")
    refused(run("search", tmp_path / "absent", "x"), "does not contain an index")


# ---------------------------------------------------------------------- sources


def test_corpora_are_read_from_tables(tmp_path: Path) -> None:
    rows = [{"id": "1", "title": "T", "text": 'a "quoted"\ntext', "site": "cs"}, {"id": "2", "text": "b", "site": "ai"}]
    with (tmp_path / "c.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "title", "text", "site"])
        writer.writeheader()
        writer.writerows(rows)
    found = list(stream_source(tmp_path / "c.csv"))
    assert [(d.id, d.text, d.fields["metadata"]) for d in found] == [
        ("1", 'T\na "quoted"\ntext', {"site": "cs"}),
        ("2", "b", {"site": "ai"}),
    ]
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"_id": [1, 2], "text": ["x", "y"], "tags": [["a", "b"], []]}), tmp_path / "c.parquet")
    found = list(stream_source(tmp_path / "c.parquet"))
    assert [(d.id, d.text, d.fields["metadata"]["tags"]) for d in found] == [("1", "x", ["a", "b"]), ("2", "y", [])]
    (tmp_path / "bad.csv").write_text("name,text\n1,x\n")
    with pytest.raises(InputError, match="expected columns _id"):
        list(stream_source(tmp_path / "bad.csv"))
    (tmp_path / "bad.csv").write_text("id,text\n1,x\n2\n")
    with pytest.raises(InputError, match="line 3: expected 2 columns"):
        list(stream_source(tmp_path / "bad.csv"))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="not a complete Parquet file"):
        list(stream_source(tmp_path / "bad.parquet"))


def test_a_folder_of_files_is_cut_into_pieces_with_their_places(tmp_path: Path) -> None:
    sentences = [f"Sentence number {number} says this and that." for number in range(60)]
    text = "# The title\r\n\r\n" + " ".join(sentences)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.md").write_bytes(text.encode())
    (tmp_path / "b.txt").write_text("Short one.")
    (tmp_path / ".hidden.txt").write_text("never read")
    (tmp_path / "c.py").write_text("not text")
    found = list(stream_source(tmp_path))
    assert found[0].id == "b.txt"
    parts = [d for d in found if d.chunk.parent == "sub/a.md"]
    assert [d.id for d in parts] == [f"sub/a.md#{number}" for number in range(1, len(parts) + 1)]
    assert len(parts) > 2
    for chunk in parts:
        _, start, end = chunk.chunk
        assert text[start:end] == chunk.body
        assert end - start <= 768
        assert chunk.text.startswith(("# The title", "The title\n"))
        assert len(chunk.text) <= 768
    assert all(any(sentence in chunk.body for chunk in parts) for sentence in sentences)
    (tmp_path / "d.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"d\.txt: the file is UTF-16 or UTF-32"):
        list(stream_source(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="nor any file"):
        list(stream_source(tmp_path / "empty"))


def test_vectors_are_indexed_from_the_command_line(home: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", unit(120))
    done = run(
        "index",
        "build",
        home / "corpus.jsonl",
        "--vectors",
        tmp_path / "v.npy",
        "--output",
        tmp_path / "i",
        "-x",
        home / "toy",
        "--force",
    )
    assert done.returncode == 0, done.stderr
    index = open_index(tmp_path / "i")
    assert index.search(unit(120)[5], 1)[0].doc_id == "d5"
    np.save(tmp_path / "v.npy", unit(119))
    refused(
        run(
            "index",
            "build",
            home / "corpus.jsonl",
            "--vectors",
            tmp_path / "v.npy",
            "--output",
            tmp_path / "j",
            "-x",
            home / "toy",
        ),
        "119 vectors for 120 documents",
    )
