"""The fixtures of the page's tests: a browser, the address of a server, and a watched tab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import page_data
import pytest


@pytest.fixture(scope="module")  # while it is open, its event loop runs, and no other can in this process
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with api.sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=page_data.chromium(), args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"no Chromium: install it, or `playwright install chromium` ({str(error).splitlines()[0]})")
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("page")
    page_data.HOME[:] = [home]
    with page_data.serving(home) as url:
        yield url


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A tab that fails the test on any console error and any request that leaves this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address.rstrip("/"))
    tab, wrong = context.new_page(), []
    tab.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda r: None if r.url.startswith((address, "blob:", "data:")) else wrong.append(r.url))
    tab.set_default_timeout(60_000)
    yield tab
    assert not wrong
    context.close()
