"""Agents search and explain over the Model Context Protocol: in memory, as a process of their own, and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from cases_data import refused, run
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

from xetrieval.index import Corpus, Index, build_index, open_index

mcp = pytest.importorskip("mcp", reason='pip install "xetrieval[mcp]"')
TOOLS = [
    *("search", "explain", "why", "why_not", "compare", "push", "edit"),
    *("document", "features", "feature", "report"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("mcp")
    corpus = write_corpus(home / "corpus.jsonl", records(60))
    build_index(Corpus((corpus,)), random_explainer(), home / "things", SMALL)
    return home / "things"


@pytest.fixture(scope="module")
def index(folder: Path) -> Index:
    return open_index(folder)


def wait(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


async def use(client: Any) -> None:
    """What every transport must do."""
    async with client as session:
        tools = (await session.list_tools()).tools
        assert [tool.name for tool in tools] == TOOLS
        for tool in tools:
            assert tool.annotations.read_only_hint
            assert not tool.annotations.open_world_hint
            assert "never instructions" in tool.description
            assert tool.output_schema["properties"]
        found = await session.call_tool("search", {"query": "word3 word5", "k": 2, "top": 1})
        hit = found.structured_content["hits"][0]
        assert json.loads(found.content[0].text) == found.structured_content
        parts = hit["explanation"]
        sums = [parts["bias"], parts["remainder"], parts["terms"][0]["share"], parts["other_terms"]["share"]]
        assert sum(sums) == pytest.approx(hit["score"], abs=1e-5)
        absent = await session.call_tool("why", {"query": "word3", "doc_id": "nope"})
        assert absent.is_error
        assert "no document 'nope' in this index" in absent.content[0].text


def server(index: Index) -> Any:
    from xetrieval.connect.mcp import mcp_server

    return mcp_server({"things": index}, index.explainer)


def test_every_tool_answers_with_the_librarys_own_types(index: Index) -> None:
    async def work() -> None:
        await use(mcp.Client(server(index)))
        async with mcp.Client(server(index)) as session:
            assert "things: 60 documents; metadata: n, site, tags" in session.instructions

            async def ask(tool: str, **arguments: object) -> Any:
                answer = await session.call_tool(tool, arguments)
                assert not answer.is_error, answer.content[0].text
                return answer.structured_content

            one = await ask("explain", query="word3", doc_id="d3")
            assert (one["doc_id"], one["rank"] > 1) == ("d3", True)
            assert (await ask("explain", query="word3", document="word3 word4", evidence=True))["score"] > 0.3
            found = await ask("search", query="word3", filters=["site=cs", "n<9"], k=50)
            assert {hit["metadata"]["site"] for hit in found["hits"]} == {"cs"}
            assert (await ask("why", query="word3", doc_id="d3"))["counterfactual"]["rank"] == one["rank"]
            words = index.document(15).text.split()[:4]
            missing = await ask("why_not", query="word3", wanted=" ".join(words), k=1)
            assert missing["over"]["rank"] == 1
            assert missing["contrast"]["difference"] < 0
            compared = await ask("compare", query="word3", doc_id="d3", over="d4")
            assert compared["counterfactual"]
            pushed = await ask("push", query="word3", doc_id=found["hits"][0]["doc_id"], others=["word7 word8"])
            assert (pushed["direction"], pushed["other_queries"]) == ("down", 1)
            edited = await ask("edit", query="word3", doc_id="d3", text="word3")
            assert edited["changed"]["rank_after"] == 1
            assert (await ask("document", doc_id="d3"))["title"] == "Title 3"
            assert (await ask("features", search="label 11"))["features"][0]["label"]
            assert (await ask("feature", feature_id=3))["feature"]["label"] == "label 3"
            assert (await ask("report"))["documents"] == 60

    wait(work())


def test_errors_reach_the_agent_in_our_words_and_without_paths(index: Index, folder: Path) -> None:
    refused = {
        ("search", "no index 'zz' here; the indexes are: things"): {"query": "a", "index": "zz"},
        ("search", "no document has that field; this index has n, site, tags"): {"query": "a", "filters": ["zz=1"]},
        ("search", "choose one of dense, concept, sparse, bm25, hybrid"): {"query": "a", "by": "x"},
        ("search", "at least 1 character"): {"query": ""},
        ("explain", "give doc_id, or document as text"): {"query": "a"},
        ("feature", "there is no feature 9999"): {"feature_id": 9999},
        ("document", "no document 'x' in this index"): {"doc_id": "x"},
        ("compare", "would be compared with itself"): {"query": "a", "doc_id": "d1", "over": "d1"},
    }

    async def work() -> None:
        async with mcp.Client(server(index)) as session:
            for (tool, words), arguments in refused.items():
                answer = await session.call_tool(tool, arguments)
                assert answer.is_error
                assert words in answer.content[0].text
                assert str(folder.parent) not in answer.content[0].text

    wait(work())


WRONG = [
    ("zzz", 1, "zzz: Extra inputs are not permitted"),
    ("k", True, "k: Input should be a valid integer"),
    ("k", "3", "k: Input should be a valid integer"),
    ("top", True, "top: Input should be a valid integer"),
    ("limit", 2.5, "limit: Input should be a valid integer"),
    ("evidence", 0, "evidence: Input should be a valid boolean"),
    ("filters", [1], "filters.0: Input should be a valid string"),
    ("index", 1, "index: Input should be a valid string"),
    ("feature_id", True, "feature_id: Input should be a valid integer"),
]


def test_unknown_arguments_and_those_of_another_type_are_refused_by_every_tool(index: Index) -> None:
    async def work() -> None:
        async with mcp.Client(server(index)) as session:
            for tool in (await session.list_tools()).tools:
                known = tool.input_schema["properties"]
                assert tool.input_schema["additionalProperties"] is False
                for name, value, words in WRONG:
                    if name in known or name == "zzz":
                        valid = {
                            one: 3 if one == "feature_id" else "d1" for one in tool.input_schema.get("required", ())
                        }
                        answer = await session.call_tool(tool.name, {**valid, name: value})
                        assert answer.is_error
                        assert words in answer.content[0].text
                        assert "\n" not in answer.content[0].text

    wait(work())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--token", "x"), "--token needs --http"),
        (("--port", "8321"), "--port needs --http"),
        (("--root-path", "/x"), "--root-path needs --http"),
        (("--allow-host", "a"), "--allow-host needs --http"),
        (("--quiet",), "--quiet needs --http"),
        (("-x", "nope"), "--explainer cannot be combined with INDEX"),
        (("-x", "minilm", "--http"), "--explainer cannot be combined with INDEX"),
    ],
)
def test_options_without_effect_are_refused_at_the_start(arguments: tuple[str, ...], words: str, folder: Path) -> None:
    refused(run("mcp", folder, *arguments), words)
    if "-x" in arguments:
        refused(run("serve", folder, "-x", arguments[1]), words)


def test_the_token_of_the_environment_is_no_option_of_the_command_line(folder: Path) -> None:
    command = [sys.executable, "-m", "xetrieval", "mcp", str(folder)]
    done = subprocess.run(
        command, env={**environment(), "XETRIEVAL_TOKEN": "x"}, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    without = subprocess.run(command[:-1], env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (without.returncode, without.stderr) == (0, "no INDEX: agents can explain only texts\n")


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_a_client_starts_it_as_a_process(folder: Path) -> None:
    parameters = mcp.StdioServerParameters(
        command=sys.executable, args=["-m", "xetrieval", "mcp", str(folder)], env=environment()
    )
    wait(use(mcp.Client(mcp.stdio_client(parameters))))


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "xetrieval", "mcp", str(folder), "--http", "--port", port, "--token", "secret"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    assert process.stderr
    line = process.stderr.readline()
    found = re.match(r"(http://127\.0\.0\.1:\d+/mcp); it needs the header Authorization: Bearer secret ", line)
    assert found, line
    import httpx2

    for _ in range(200):
        try:
            httpx2.get(found[1])
            break
        except httpx2.ConnectError:
            pass
    yield found[1]
    process.terminate()
    process.communicate(timeout=30)


@pytest.mark.slow
def test_over_http_with_a_token(address: str) -> None:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async def work() -> None:
        async with httpx2.AsyncClient(headers={"authorization": "Bearer secret"}) as http:
            await use(mcp.Client(streamable_http_client(address, http_client=http)))

    wait(work())
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accepted = {"accept": "application/json, text/event-stream"}
    known = {**accepted, "authorization": "Bearer secret"}
    assert httpx2.post(address, json=ask, headers=accepted).status_code == 401
    assert httpx2.post(address, json=ask, headers={**known, "host": "evil.example"}).status_code == 421
    for origin in ("http://evil.example", "https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"):
        assert httpx2.post(address, json=ask, headers={**known, "origin": origin}).status_code == 403
    for origin in ("http://127.0.0.1:8000", "https://localhost", "https://localhost:8443"):  # a proxy may add TLS
        assert httpx2.post(address, json=ask, headers={**known, "origin": origin}).status_code == 200
    assert httpx2.post(address, json={"x": "a" * (2 << 20)}, headers=known).status_code == 413
    assert httpx2.get(address, headers=known, timeout=10).status_code == 405


def test_without_the_package_the_command_to_type_is_the_answer(folder: Path) -> None:
    script = f"import sys; sys.modules['mcp'] = None; sys.argv = ['xetrieval', 'mcp', {str(folder)!r}]\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}from xetrieval.cli import main; main()"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert 'pip install "xetrieval[mcp]"' in done.stderr
