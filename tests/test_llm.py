"""Language models: over real HTTP against a server that misbehaves, from the cache, within a budget."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, chat_server

from xetrieval import remote
from xetrieval.errors import BudgetSpent, DamagedError, EndpointError, InputError
from xetrieval.llm import (
    Budget,
    CachedChat,
    ChatModel,
    Ledger,
    Message,
    OpenAIChat,
    ReplayChat,
    Request,
    Usage,
    in_parallel,
    open_llm,
)
from xetrieval.llm.budget import at_most
from xetrieval.remote import Remote

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def ask(text: str = "hello", **more: Any) -> Request:
    return Request((Message("system", "be brief"), Message("user", text)), 20, **more)


def echo(body: dict[str, Any]) -> str:
    return "you said " + body["messages"][-1]["content"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    with chat_server(echo) as running:
        yield running


# ------------------------------------------------------------------ one request


def test_a_request_becomes_a_chat_completion_and_back(server: ChatServer) -> None:
    answer = OpenAIChat(server.url, "m1").ask(ask("good morning"))
    assert answer == ("you said good morning", Usage(100, 10), "stop", False)
    sent = server.requests[0]
    assert sent["path"] == "/v1/chat/completions"
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("m1", 20, 0.0)
    assert sent["messages"][0] == {"role": "system", "content": "be brief"}
    assert "response_format" not in sent


@pytest.mark.parametrize("moods", [["500", "503"], ["cut"], ["half"], ["list"], ["429"], ["cut", "half", "500", "429"]])
def test_a_server_that_recovers_is_asked_again(server: ChatServer, moods: list[str]) -> None:
    server.moods = list(moods)
    assert OpenAIChat(server.url, "m").ask(ask()).text == "you said hello"
    assert len(server.requests) == len(moods) + 1


def test_the_wait_doubles_where_the_server_does_not_say(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(remote.time, "sleep", waits.append)
    server.moods = ["500"] * 4
    OpenAIChat(server.url, "m").ask(ask())
    assert len(waits) == 4
    assert all(0.75 * 0.01 * 2**i <= wait <= 1.25 * 0.01 * 2**i for i, wait in enumerate(waits))


@pytest.mark.slow
@pytest.mark.parametrize("value", ["1", "0.7"])
def test_retry_after_is_honoured(server: ChatServer, value: str) -> None:
    server.moods = [f"429:{value}"]
    OpenAIChat(server.url, "m").ask(ask())
    assert server.times[1] - server.times[0] >= float(value)


@pytest.mark.slow
def test_retry_after_may_be_a_date_and_may_ask_too_much(server: ChatServer) -> None:
    server.moods = [f"503:{formatdate(time.time() + 2, usegmt=True)}"]
    OpenAIChat(server.url, "m").ask(ask())
    assert server.times[1] - server.times[0] >= 0.9  # dates have whole seconds
    server.moods = ["429:3600"]
    with pytest.raises(EndpointError, match="asks to wait 3600 s"):
        OpenAIChat(server.url, "m").ask(ask())


def test_a_slow_server_is_given_up_after_the_timeout(server: ChatServer) -> None:
    server.moods = ["slow", "slow"]
    with pytest.raises(EndpointError, match="ReadTimeout"):
        OpenAIChat(server.url, "m", timeout=0.2, attempts=2).ask(ask())


@pytest.mark.parametrize(
    ("mood", "words", "sent"),
    [
        ("401", "key is missing or wrong; set it in XETRIEVAL_API_KEY", 1),
        ("404", "HTTP 404 .mood 404.*; requested model m", 1),
        ("500", "HTTP 500", 5),
        ("odd", "not a chat completion", 1),
    ],
)
def test_what_cannot_be_helped_is_one_clear_line(server: ChatServer, mood: str, words: str, sent: int) -> None:
    server.moods = [mood] * 9
    with pytest.raises(EndpointError, match=words) as caught:
        OpenAIChat(server.url, "m").ask(ask())
    assert len(server.requests) == sent
    assert "\n" not in str(caught.value)


def test_no_server_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.001)
    with pytest.raises(EndpointError, match="ConnectError"):
        OpenAIChat("http://127.0.0.1:9/v1", "m").ask(ask())


def test_the_key_is_sent_and_never_shown(server: ChatServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XETRIEVAL_API_KEY", "secret-123")
    model = CachedChat(OpenAIChat(server.url, "m"), tmp_path / "llm.sqlite")
    model.ask(ask())
    assert server.keys == ["Bearer secret-123"]
    server.moods = ["404"]  # this server repeats the key in its error
    with pytest.raises(EndpointError) as caught:
        model.ask(ask("again"))
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert "secret" not in str(caught.value) + repr(vars(model.model)) + model.name
    assert b"secret" not in stored


@pytest.mark.parametrize(
    "address", ["ftp://x/v1#m", "http://#m", "http://user:pw@host/v1#m", "http://host/v1", "m", "gguf:x"]
)
def test_addresses_that_cannot_be_used_are_refused(address: str) -> None:
    with pytest.raises(InputError) as caught:
        open_llm(address)
    assert "pw" not in str(caught.value)


# ------------------------------------------------------------------ schemas


def test_a_schema_is_sent_where_it_is_offered_and_left_out_where_not(server: ChatServer) -> None:
    model = OpenAIChat(server.url, "m")
    model.ask(ask(schema=SCHEMA))
    assert server.requests[-1]["response_format"]["json_schema"]["schema"] == SCHEMA
    server.moods = ["schema"]
    assert model.ask(ask(schema=SCHEMA)).text == "you said hello"
    model.ask(ask("third", schema=SCHEMA))
    assert ["response_format" in sent for sent in server.requests] == [True, True, False, False]


def test_a_bad_request_is_not_blamed_on_the_schema(server: ChatServer) -> None:
    model = OpenAIChat(server.url, "m")
    server.moods = ["400", "400"]
    with pytest.raises(EndpointError, match="HTTP 400"):
        model.ask(ask(schema=SCHEMA))
    model.ask(ask(schema=SCHEMA))
    assert "response_format" in server.requests[-1]


# ------------------------------------------------------------------ cache


def test_nothing_is_asked_twice_and_everything_is_in_the_key(server: ChatServer, tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    model = CachedChat(OpenAIChat(server.url, "m"), path)
    variants = [
        ask(),
        ask("other"),
        ask(temperature=0.5),
        ask(schema=SCHEMA),
        ask(version="2"),
        ask(attempt=1),
        Request(ask().messages, 21),
    ]
    assert not any(model.ask(request).cached for request in variants)
    assert all(CachedChat(OpenAIChat(server.url, "m"), path).ask(request).cached for request in variants)
    assert not CachedChat(OpenAIChat(server.url, "m2"), path).ask(ask()).cached
    assert len(server.requests) == len(variants) + 1


def test_threads_that_want_one_answer_ask_for_it_once(server: ChatServer, tmp_path: Path) -> None:
    model = CachedChat(OpenAIChat(server.url, "m"), tmp_path / "llm.sqlite")
    answers = [answer for _, answer in in_parallel(model.ask, [ask()] * 12, 6)]
    assert len(server.requests) == 1
    assert {answer.text for answer in answers} == {"you said hello"}


def test_a_damaged_cache_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "llm.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DamagedError, match="delete it"):
        CachedChat(ReplayChat(lambda _: "x"), tmp_path / "llm.sqlite").ask(ask())


@pytest.mark.slow
def test_many_may_open_a_new_cache_at_once(tmp_path: Path) -> None:
    for turn in range(10):
        model = CachedChat(ReplayChat(lambda request: request.messages[-1].content), tmp_path / f"{turn}.sqlite")
        answers = list(in_parallel(model.ask, [ask(str(i)) for i in range(16)], 16))
        assert len(answers) == 16


KILLED = """
import sys
from pathlib import Path
from xetrieval.llm import CachedChat, Message, OpenAIChat, Request, in_parallel
model = CachedChat(OpenAIChat(sys.argv[1], "m"), Path(sys.argv[2]))
requests = [Request((Message("user", f"question {i}"),), 20) for i in range(30)]
for request, answer in in_parallel(model.ask, requests, 2):
    print(request.messages[0].content, answer.text, flush=True)
"""


def test_a_killed_run_goes_on_without_asking_twice_or_losing_one(tmp_path: Path) -> None:
    gate = threading.Event()

    def reply(body: dict[str, Any]) -> str:
        if len(server.requests) > 10:  # the two requests that are open when the kill comes
            gate.wait(20)
        return echo(body)

    with chat_server(reply) as server:
        command = [sys.executable, "-c", KILLED, server.url, str(tmp_path / "llm.sqlite")]
        first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while len(server.requests) < 12:
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        seen = first.communicate()[0].splitlines()
        gate.set()
        asked = [sent["messages"][0]["content"] for sent in server.requests]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        again = [sent["messages"][0]["content"] for sent in server.requests[12:]]
    assert set(seen) <= set(second.stdout.splitlines())
    assert len(set(second.stdout.splitlines())) == 30
    assert len(again) == 20
    assert set(again) & set(asked) == set(asked[10:])  # only what was open, and unanswered, is asked again


# ------------------------------------------------------------------ budgets


def test_a_budget_of_requests_holds(server: ChatServer, tmp_path: Path) -> None:
    model = CachedChat(OpenAIChat(server.url, "m"), tmp_path / "a.sqlite", Ledger(Budget(requests=3)))
    answers = in_parallel(model.ask, [ask(str(i)) for i in range(9)], 4)
    assert all(answer.text for _, answer in islice(answers, 3))
    with pytest.raises(BudgetSpent, match="3 requests is used up"):
        next(answers)
    assert len(server.requests) == 3
    more = CachedChat(OpenAIChat(server.url, "m"), tmp_path / "a.sqlite", Ledger(Budget(requests=3)))
    with pytest.raises(BudgetSpent):
        list(in_parallel(more.ask, [ask(str(i)) for i in range(9)], 4))
    assert len(server.requests) == 6  # answers at hand cost nothing


@pytest.mark.parametrize("kind", ["tokens", "money"])
def test_a_budget_of_tokens_or_money_is_never_gone_over(server: ChatServer, tmp_path: Path, kind: str) -> None:
    limit = {"tokens": 900} if kind == "tokens" else {"money": 9e-4, "prompt_price": 1.0, "completion_price": 1.0}
    model = CachedChat(OpenAIChat(server.url, "m"), tmp_path / "a.sqlite", Ledger(Budget(**limit)))
    with pytest.raises(BudgetSpent, match="could exceed the budget"):
        list(in_parallel(model.ask, [ask("word " * 70 + str(i)) for i in range(50)], 5))
    assert 0 < model.ledger.usage.total <= 900
    assert model.ledger.usage.total == 110 * len(server.requests)


def test_a_server_that_counts_finer_is_held_to_its_own_count(server: ChatServer, tmp_path: Path) -> None:
    model = CachedChat(OpenAIChat(server.url, "m"), tmp_path / "a.sqlite", Ledger(Budget(tokens=500)))
    with pytest.raises(BudgetSpent):
        list(in_parallel(model.ask, [ask(str(i)) for i in range(50)], 1))  # 110 each, though 45 were set aside
    assert model.ledger.usage.total == 440


def test_an_answer_lost_on_the_way_counts_as_paid_for(server: ChatServer, tmp_path: Path) -> None:
    model = CachedChat(OpenAIChat(server.url, "m", attempts=1), tmp_path / "a.sqlite")
    server.moods = ["cut"]
    with pytest.raises(EndpointError):
        model.ask(ask())
    assert model.ledger.usage == at_most(ask())


def test_a_failed_request_gives_back_what_was_set_aside(server: ChatServer, tmp_path: Path) -> None:
    ledger = Ledger(Budget(tokens=2 * at_most(ask()).total))
    model = CachedChat(OpenAIChat(server.url, "m"), tmp_path / "a.sqlite", ledger)
    for _ in range(4):
        server.moods = ["404"]
        with pytest.raises(EndpointError):
            model.ask(ask())
    assert ledger.usage.total == 0
    ledger.reserve(ask())


@pytest.mark.parametrize(
    "limit", [{"requests": 0}, {"tokens": -1}, {"money": 0.0}, {"money": float("nan")}, {"money": 1.0}]
)
def test_a_budget_that_makes_no_sense_is_refused(limit: dict[str, float]) -> None:
    with pytest.raises(InputError, match="budget"):
        Budget(**limit)  # type: ignore[arg-type]


def test_a_server_that_does_not_count_is_counted_for(tmp_path: Path) -> None:
    class Silent(ReplayChat):
        def ask(self, request: Request) -> Any:
            return super().ask(request)._replace(usage=Usage())

    model = CachedChat(Silent(lambda _: "x"), tmp_path / "a.sqlite")
    model.ask(ask())
    assert model.ledger.usage == at_most(ask())


def test_an_estimate_asks_nothing_and_knows_what_is_at_hand(tmp_path: Path) -> None:
    replay = ReplayChat(lambda _: "x")
    ledger = Ledger(Budget(prompt_price=1.0, completion_price=2.0))
    model = CachedChat(replay, tmp_path / "a.sqlite", ledger)
    model.ask(ask("0"))
    costs = model.estimate([ask(str(i)) for i in range(5)])
    assert (costs.requests, costs.at_hand) == (4, 1)
    assert costs.most == Usage(4 * at_most(ask("0")).prompt, 80)
    assert costs.most_cost == pytest.approx((costs.most.prompt + 160) / 1e6)
    assert costs.likely.total < costs.most.total
    assert len(replay.requests) == 1


# ------------------------------------------------------------------ many at once, and the double


@pytest.mark.slow
def test_at_most_so_many_run_at_once(server: ChatServer) -> None:
    server.moods = ["slow"] * 4
    model = OpenAIChat(server.url, "m")
    assert len(list(in_parallel(model.ask, [ask(str(i)) for i in range(8)], 4))) == 8
    assert server.most_busy == 4


def test_an_error_ends_it_and_loses_nothing_that_was_answered() -> None:
    started = threading.Barrier(3)

    def work(i: int) -> int:
        if i < 3:
            started.wait(5)
        if i == 1:
            raise EndpointError("no")
        return i

    results = in_parallel(work, range(3), 3)
    assert {i for i, _ in islice(results, 2)} == {0, 2}
    with pytest.raises(EndpointError):
        next(results)
    with pytest.raises(InputError, match="at least 1"):
        list(in_parallel(work, [1], 0))


def test_a_replay_file_answers_by_what_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "replay.jsonl"
    path.write_text('{"contains": "capital", "answer": "Paris"}\n{"contains": "sea", "answer": "blue"}\n')
    model = open_llm(f"replay:{path}")
    assert isinstance(model, ChatModel)
    assert model.ask(ask("which capital?")).text == "Paris"
    with pytest.raises(EndpointError, match="no answer"):
        model.ask(ask("else"))
    path.write_text('{"contains": "capital"}\n')
    with pytest.raises(InputError, match="line 1: field 'answer'"):
        open_llm(f"replay:{path}")


def test_a_remote_refuses_addresses_that_carry_passwords() -> None:
    with pytest.raises(InputError, match="no name or password"):
        Remote("https://me:pw@example.org/v1")


# ------------------------------------------------------------------ a real model


@pytest.mark.llm
@pytest.mark.skipif("XETRIEVAL_TEST_GGUF" not in os.environ, reason="set XETRIEVAL_TEST_GGUF to a GGUF file")
def test_a_local_model_answers_over_http_and_keeps_to_a_schema(tmp_path: Path) -> None:
    import json

    model = CachedChat(open_llm(f"gguf:{os.environ['XETRIEVAL_TEST_GGUF']}"), tmp_path / "a.sqlite")
    plain = model.ask(ask("Name a colour."))
    assert plain.text
    assert plain.usage.total > 0
    shaped = model.ask(Request((Message("user", "Give a as a colour."),), 60, schema=SCHEMA))
    assert isinstance(json.loads(shaped.text)["a"], str)
    assert model.ask(ask("Name a colour.")).cached
    assert model.name.startswith("gguf:")
