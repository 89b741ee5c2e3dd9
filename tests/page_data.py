"""What the tests of the page need: a browser, and a server on an ordinary and on a hostile index."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from conftest import documentation
from index_data import write_corpus

from xetrieval.explain import load
from xetrieval.index import BuildConfig, Corpus, build_index

QUERY = "read settings from an ini file"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\u202eabc"


HOME: list[Path] = []  # where the indexes are


def chromium() -> str | None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return None


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The address of a server on the demo's index and on one of hostile documents."""
    write_corpus(
        home / "docs.jsonl", [{"_id": d.id, "title": d.fields["title"], "text": d.body} for d in documentation()]
    )
    evil = [
        {
            "_id": f"{HOSTILE}{number}",
            "title": f"{HOSTILE} {number}",
            "text": f"{HOSTILE} settings file {number} 🎉" + extra,
        }
        for number, extra in enumerate(("", " word" * 20_000, "x" * 100_000))
    ]
    write_corpus(home / "evil.jsonl", evil)
    minilm = load("minilm", cache=home / "cache")
    names = tuple(replace(feature, label=f"{HOSTILE} {feature.label}") for feature in minilm.features)
    replace(minilm, features=names).save(home / "hostile")
    env = {**os.environ, "XETRIEVAL_CACHE": str(home / "cache")}
    shipped = BuildConfig(dictionary="shipped")  # whose labels these tests know
    for name, own in (("docs", minilm), ("evil", load(home / "hostile", cache=home / "cache"))):
        build_index(Corpus((home / f"{name}.jsonl",)), own, home / name, shipped)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    call = [sys.executable, "-m", "xetrieval", "serve", home / "docs", home / "evil", "--port", str(port), "--quiet"]
    server = subprocess.Popen(call, env=env)
    url = f"http://127.0.0.1:{port}/"
    for _ in range(300):
        try:
            urlopen(f"{url}v1/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield url
    server.terminate()
    assert server.wait(timeout=20) in (0, -15)


def searched(page: Any, address: str, query: str = QUERY, rest: str = "") -> None:
    page.goto(f"{address}?q={query.replace(' ', '+')}{rest}")
    page.wait_for_selector(".hits > li")


def titles(page: Any) -> list[str]:
    return [text.strip() for text in page.locator(".hits .title").all_inner_texts()]
