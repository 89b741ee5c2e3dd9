"""Every request of paper/studies/robustness/http_requests.py is answered below 500, in strict JSON, without a trace."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason='pip install "xetrieval[ui]"')
attack_scripts = pytest.importorskip("paper.studies.robustness.http_requests", reason="no paper/: not a clone")


@pytest.fixture(scope="module")
def attack() -> Any:
    return attack_scripts


@pytest.fixture(scope="module")
def folder(attack: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = attack.toy(tmp_path_factory.mktemp("attack"))
    return made


@pytest.mark.slow
def test_odd_requests_hold(attack: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = attack.requests
    monkeypatch.setattr(attack, "requests", lambda: islice(every(), 0, None, 4))  # all of them: the script itself
    tried, failed = attack.in_process(folder, tmp_path / "profiles")
    assert not failed
    assert sum(tried.values()) > 1000
    assert len(tried) == 9


@pytest.mark.slow
def test_malformed_requests_hold(attack: Any, folder: Path) -> None:
    _, failed = attack.over_a_socket(folder, 0.5)
    assert not failed


def test_what_does_not_hold_is_seen(attack: Any) -> None:
    """The check itself: it sees a status, a trace, NaN, and more than one line."""
    from httpx2 import Response

    def answer(status: int, text: str) -> Any:
        return Response(status, text=text, headers={"content-type": "application/json"})

    assert attack.wrong(answer(200, '{"a": 1.5}'), ("/srv/x",)) is None
    assert attack.wrong(answer(422, '{"error": "k: too large"}'), ("/srv/x",)) is None
    for status, text in (
        (500, "{}"),
        (200, '{"a": [NaN]}'),
        (200, '{"a": -Infinity}'),
        (200, "{"),
        (400, '{"error": "/srv/x/y is gone"}'),
        (400, '{"error": "a\\nb"}'),
        (400, '{"detail": "a"}'),
    ):
        assert attack.wrong(answer(status, text), ("/srv/x",)) is not None, text
