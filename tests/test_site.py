"""The documentation as a site: every page is in it, its links hold, and a browser fetches nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "build" / "site"
built = pytest.mark.skipif(not (SITE / "index.html").exists(), reason="make docs")


@cache
def make_site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_site", ROOT / "docs" / "make_site.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(make_site(), "PAGES", tmp_path / "pages")
    make_site().write_pages()
    return tmp_path / "pages"


def test_every_page_is_in_the_navigation_once(pages: Path) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    named = re.findall(r": ([\w-]+\.md)$", navigation, flags=re.MULTILINE)
    assert sorted(named) == sorted(path.name for path in pages.glob("*.md"))


def test_links_of_the_pages_lead_to_pages(pages: Path) -> None:
    for path in pages.glob("*.md"):
        text = make_site().FENCE.sub("", path.read_text())
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            name = target.partition("#")[0]
            assert "://" in name or not name or (pages / name).exists(), f"{path.name}: {target}"
        assert "```mermaid" not in path.read_text(), "mermaid is loaded from elsewhere"


def test_requests_outside_are_found(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text(
        '<link rel="canonical" href="https://ours.test/"><link rel="stylesheet" href="https://fonts.test/a.css">'
        '<link rel="preconnect" href="//cdn.test"><script src="local.js"></script><script src="http://x.test/a.js"></script>'
        '<a href="https://a-link.test">a link is no request</a><img src="https://pictures.test/a.png">'
    )
    (tmp_path / "bad.css").write_text("@import 'https://css.test/b.css'; a { background: url(local.png) }")
    found = [line.partition(": ")[2] for line in make_site().requests_outside(tmp_path)]
    assert found == [
        "https://fonts.test/a.css",
        "//cdn.test",
        "http://x.test/a.js",
        "https://pictures.test/a.png",
        "https://css.test/b.css",
    ]


@built
def test_the_site_fetches_nothing_from_elsewhere() -> None:
    assert make_site().requests_outside(SITE) == []
    assert len(list(SITE.glob("*.html"))) >= 35


@built
def test_the_python_reference_describes_fields() -> None:
    page = (SITE / "reference.html").read_text()
    assert "Annotated[" not in page
    assert "fraction of documents for the card" in page


@built
@pytest.mark.slow
def test_a_browser_fetches_nothing_from_elsewhere_and_can_search() -> None:
    import threading
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    from page_data import chromium

    sync = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if chromium() is None:
        pytest.skip("no Chromium")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        with sync.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            page = browser.new_page()
            urls: list[str] = []
            page.on("request", lambda request: urls.append(request.url))
            for name in ("index.html", "tutorial.html", "reference.html", "architecture.html"):
                page.goto(address + name)
            page.keyboard.press("/")
            page.keyboard.type("counterfactual")
            page.get_by_text("counterfactual").first.wait_for()
            browser.close()
        server.shutdown()
    assert urls
    assert [url for url in urls if not url.startswith((address, "data:", "blob:"))] == []
