"""What a paid encoder will cost is shown before anything is sent, and nothing is sent twice."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from index_data import write_corpus
from test_encoder_endpoint import Server, server  # noqa: F401  # a fixture
from test_own_dictionary import records

from xetrieval.cli.app import app
from xetrieval.encoders import CachedEncoder, EndpointEncoder, to_send
from xetrieval.encoders.cache import PROBE
from xetrieval.errors import EndpointError

PROBES = {PROBE, "dimension probe"}


def sent(server: Server) -> Counter[str]:  # noqa: F811
    return Counter(text for request in server.requests for text in request["input"] if text not in PROBES)


def test_only_an_endpoint_costs_and_each_new_text_counts_once(server: Server, tmp_path: Path) -> None:  # noqa: F811
    encoder = CachedEncoder(EndpointEncoder(server.url, "m", document_prompt="doc: "), tmp_path)
    encoder.encode_document(["known"])
    found = to_send(encoder, ["known", "a new text", "a new text", "b"])
    assert found is not None
    assert (found.texts, found.tokens) == (2, (len("doc: a new text") + len("doc: b")) // 4)
    assert found.sentence(2.0).endswith("2 texts to send, about 5 tokens, which cost about 0.00")
    from conftest import random_explainer

    assert to_send(random_explainer().encoder, ["a"]) is None


def test_an_error_loses_one_request_at_most(server: Server, tmp_path: Path) -> None:  # noqa: F811
    texts = [f"text {i}" for i in range(40)]
    encoder = CachedEncoder(EndpointEncoder(server.url, "m", batch_size=10, attempts=1), tmp_path)
    _ = encoder.identity
    server.moods = ["ok", "ok", "ok", "500"]
    with pytest.raises(EndpointError):
        encoder.encode_document(texts)
    encoder.encode_document(texts)
    counts = sent(server)
    assert sum(counts.values()) == 50, "the failed request alone is sent again"


def test_fit_and_build_say_what_they_send(
    server: Server,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("xetrieval.configs.rule.STEPS", 12)
    corpus = str(write_corpus(tmp_path / "corpus.jsonl", records(160)))
    cache = ["--cache", str(tmp_path / "cache")]

    def run(*words: str) -> tuple[int, int, int]:
        before = sum(sent(server).values())
        app([*words, "--price", "1000", *cache], standalone_mode=False)
        said = " ".join(capsys.readouterr().err.split())
        found = re.search(r"#small: ([\d,]+) texts to send, about ([\d,]+) tokens, which cost about ([\d.]+)", said)
        assert found is not None, said
        texts, tokens = (int(found[i].replace(",", "")) for i in (1, 2))
        assert float(found[3]) == pytest.approx(tokens / 1000, abs=0.01)
        return texts, tokens, sum(sent(server).values()) - before

    texts, tokens, really = run("fit", corpus, "--encoder", f"{server.url}#small", "--output", str(tmp_path / "own"))
    assert texts == really > 160
    assert tokens == sum(len(text) for text in sent(server)) // 4
    texts, _, really = run("fit", corpus, "--encoder", f"{server.url}#small", "--output", str(tmp_path / "again"))
    assert (texts, really) == (0, 0)
    more = str(
        write_corpus(
            tmp_path / "more.jsonl",
            [{**one, "_id": f"m{i}", "text": f"{one['text']} More {i} words."} for i, one in enumerate(records(160))],
        )
    )
    texts, _, really = run(
        "index",
        "build",
        more,
        "-x",
        str(tmp_path / "own"),
        "--dictionary",
        "corpus",
        "--output",
        str(tmp_path / "index"),
    )
    assert texts == really >= 160
    added = str(
        write_corpus(tmp_path / "added.jsonl", [{"_id": "new", "text": "something else entirely"}, *records(3)])
    )
    texts, _, really = run("index", "add", str(tmp_path / "index"), added)
    assert (texts, really) == (1, 1), "the others are in the cache"
    assert max(sent(server).values()) == 1
