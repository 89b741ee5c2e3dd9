"""A document is compared with another one, and a profile that is replaced is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases_data import accepted, refused, run
from index_data import build_small

from xetrieval import open_index
from xetrieval.errors import InputError


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("comparisons"), 40)


@pytest.mark.parametrize("more", [{}, {"counterfactual": True}, {"evidence": 3}])
def test_a_document_is_not_compared_with_itself(index: Path, more: dict[str, bool]) -> None:
    opened = open_index(index)
    with pytest.raises(InputError, match="'d5' would be compared with itself"):
        opened.why("word1 word2", "d5", over="d5", **more)  # type: ignore[arg-type]
    assert opened.why("word1 word2", "d5", over="d6").contrast is not None
    refused(run("why", str(index), "word1 word2", "d5", "--over", "d5"), "compared with itself")


def test_nor_over_http(index: Path) -> None:
    pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
    from starlette.testclient import TestClient

    from xetrieval.serve.app import create_app

    opened = open_index(index)
    app = create_app({"a": opened}, opened.explainer, profiles=index.parent / "profiles")
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        for path in ("/v1/why", "/v1/contrast"):
            answer = client.post(path, json={"query": "word1", "index": "a", "doc_id": "d5", "over": "d5"})
            assert answer.status_code == 400, answer.text
            assert "compared with itself" in answer.text


def test_a_profile_that_is_replaced_is_said_to_be(index: Path, tmp_path: Path) -> None:
    save = tmp_path / "profile.json"
    command = ("steer", "apply", str(index), "word1 word2", "--set", "3=2", "--save", str(save))
    assert f"written to {save}" in accepted(run(*command)).stderr
    assert f"replaced {save}" in accepted(run(*command)).stderr
