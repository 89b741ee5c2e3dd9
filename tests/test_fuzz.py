"""The API against its own description: whatever is sent, nothing goes wrong inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import random_explainer
from hypothesis import HealthCheck, given, settings
from index_data import SMALL, records, write_corpus

from xetrieval.index import Corpus, build_index, open_index

pytestmark = pytest.mark.slow


schemathesis = pytest.importorskip("schemathesis", reason="pip install schemathesis")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    app_of = pytest.importorskip("xetrieval.serve.app", reason='pip install "xetrieval[ui]"')
    home: Path = tmp_path_factory.mktemp("fuzz")
    build_index(Corpus((write_corpus(home / "c.jsonl", records(80)),)), random_explainer(), home / "toy", SMALL)
    app = app_of.create_app(
        {"toy": open_index(home / "toy")}, random_explainer(), hosts=frozenset(), profiles=home / "p"
    )
    return schemathesis.openapi.from_asgi("/v1/openapi.json", app)


def test_nothing_that_is_sent_goes_wrong_inside(api: Any) -> None:
    sent = answered = 0
    asked = settings(
        max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    for found in api.get_all_operations():
        operation = found.ok()

        @asked
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            nonlocal sent, answered
            sent += 1
            answer = case.call()
            assert answer.status_code < 500, (case.body, answer.text)
            if answer.status_code >= 400:
                assert set(answer.json()) == {"error"}
                assert "Traceback" not in answer.text
            else:
                answered += 1
                case.validate_response(answer, checks=(schemathesis.checks.response_schema_conformance,))

        check()
    assert sent > 600
    assert answered > 50
