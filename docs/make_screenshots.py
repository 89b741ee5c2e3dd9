"""Write the pictures of the page in docs: the tour of docs/tour.md, in a browser, on the demo's index.

    python docs/make_screenshots.py [FOLDER]

Needs Chromium on the PATH and `pip install playwright`. With FOLDER, they go there, together with those for a window as
narrow as a telephone's.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).resolve().parent
QUERY = "sort a dictionary by value"
RIGHT, WRONG = "list.sort", "collections.OrderedDict.pop"


# Where the last card that fits the window ends: the pictures stop there, so that no line of text is cut.
LAST_WHOLE_CARD = """() => Math.max(0, ...[...document.querySelectorAll('.hits > li, .compare')]
    .map(card => card.getBoundingClientRect().bottom).filter(bottom => bottom < innerHeight - 8)) || innerHeight - 8"""


def tour(page: Any, address: str, folder: Path, ending: str) -> None:
    """The pictures, in the order of the tour."""

    def hit(name: str) -> Any:
        return page.locator(".hits > li").filter(has=page.locator(".title", has_text=name)).first

    def picture(name: str) -> None:
        size = page.viewport_size
        clip = {"x": 0, "y": 0, "width": size["width"], "height": page.evaluate(LAST_WHOLE_CARD) + 8}
        page.screenshot(path=folder / f"page-{name}{ending}.png", clip=clip)

    page.goto(f"{address}?q={QUERY.replace(' ', '+')}")
    page.locator(".hits .title").first.click()
    page.wait_for_selector(".why mark")
    picture("why")
    hit(RIGHT).locator(".title").click()
    hit(WRONG).get_by_role("button", name="compare").click()
    page.wait_for_selector(".compare mark")
    page.mouse.move(0, 0)
    hit(WRONG).scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, document.querySelector('.compare').getBoundingClientRect().top - 120)")
    picture("compare")
    page.goto(f"{address}?q={QUERY.replace(' ', '+')}")
    hit(WRONG).get_by_role("button", name="push down").click()
    page.locator(".proposals").get_by_role("button", name="apply").first.click()
    page.wait_for_selector(".bump")
    page.wait_for_selector(".hits .up, .hits .down")
    page.evaluate("scrollTo(0, 0)")
    picture("steer")


@contextmanager
def demo() -> Iterator[str]:
    """The address of the page on the demo's index."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "xetrieval", "demo", "--index", f"{folder}/python-documentation"]
        server = subprocess.Popen([*command, "--serve", "--port", str(port)])
        try:
            while server.poll() is None:
                try:
                    urlopen(f"http://127.0.0.1:{port}/v1/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    """Take the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    sizes = {"": (1280, 1000), "-narrow": (375, 1200)} if len(sys.argv) > 1 else {"": (1280, 1000)}
    with demo() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for ending, (width, height) in sizes.items():
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
            tour(context.new_page(), address, folder, ending)
        browser.close()


if __name__ == "__main__":
    main()
