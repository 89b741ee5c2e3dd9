"""Blind sheets: drawn from an index, filled in by people, a model or an encoder, and scored against their key."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, random_sae
from page_data import chromium
from test_cli_label import run
from test_cli_label import work as work  # a fixture

from xetrieval.data.judgments import Queries
from xetrieval.encoders import HashingEncoder
from xetrieval.errors import InputError, MismatchError
from xetrieval.evaluate.names import (
    EncoderReader,
    Interval,
    KeyRow,
    LlmReader,
    NamesConfig,
    Sheet,
    SheetItem,
    draw_names,
    judge,
    krippendorff_alpha,
    read_key,
    read_sheet,
    score_names,
    sheet_items,
    write_key,
    write_sheet,
)
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.llm import ReplayChat

ITEMS = [
    SheetItem("a-1", "how do refunds work", "we pay the price back", {1: "refunds", 2: "football"}),
    SheetItem("a-2", "=cmd", "tea </script> and milk", {1: "tea"}),
]


def verdicts(*values: int | None) -> dict[tuple[str, int], int]:
    return {("x", place): value for place, value in enumerate(values) if value is not None}


# ---------------------------------------------------------------- agreement


def test_alpha_of_krippendorffs_own_example() -> None:
    """Krippendorff (2011), Computing Krippendorff's Alpha-Reliability: four observers, five values, ordinal 0.815."""
    gap = None
    observers = (
        (1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap),
        (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3),
        (gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap),
        (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap),
    )
    alpha = krippendorff_alpha([verdicts(*row) for row in observers], levels=6)
    assert alpha == pytest.approx(0.815, abs=0.0005)


def test_alpha_computed_by_hand() -> None:
    # pairs (0,0) (0,1) (2,2): counts 3, 1, 2; middles of ranks 1.5, 3.5, 5; squared distances 4, 12.25, 2.25
    # observed: 2 * 4 = 8; by chance: 2 * (3*1*4 + 3*2*12.25 + 1*2*2.25) = 180; alpha = 1 - 5 * 8 / 180
    alpha = krippendorff_alpha([verdicts(0, 0, 2), verdicts(0, 1, 2)])
    assert alpha == pytest.approx(1 - 40 / 180, abs=1e-4)


def test_alpha_at_its_limits() -> None:
    assert krippendorff_alpha([verdicts(0, 1, 2), verdicts(0, 1, 2)]) == 1
    assert krippendorff_alpha([verdicts(0, 2), verdicts(2, 0)]) == pytest.approx(-0.5)
    assert krippendorff_alpha([verdicts(2, 2), verdicts(2, 2)]) is None
    assert krippendorff_alpha([verdicts(0, 1, 2)]) is None
    assert krippendorff_alpha([verdicts(0, None), verdicts(None, 1)]) is None


# ---------------------------------------------------------------- scores


def key_row(item: str, number: int, kind: str, relevant: bool | None = True, share: float = 0.0) -> KeyRow:
    return KeyRow(item, number, kind, "q", "d", relevant, 0.5, str(number), share, f"name {number}")  # type: ignore[arg-type]


def value(found: Interval | None, field: str = "value") -> float:
    assert found is not None
    return float(getattr(found, field))


KEY = [
    key_row("a-1", 1, "shown", share=0.3),
    key_row("a-1", 2, "decoy"),
    key_row("a-1", 3, "shown", share=0.1),
    key_row("a-2", 0, "none"),
    key_row("a-3", 1, "shown", relevant=False, share=0.2),
]


def test_scores_by_line_by_share_and_of_the_score() -> None:
    first = Sheet("one", {("a-1", 1): 2, ("a-1", 2): 0, ("a-1", 3): 0, ("a-3", 1): 1})
    second = Sheet("two", {("a-1", 1): 1, ("a-1", 2): 0, ("a-1", 3): 0, ("a-3", 1): 1})
    found = score_names(KEY, [first, second])
    hits = found.groups["relevant hits"]
    assert (hits.pairs, hits.with_a_name, hits.names) == (2, 1, 4)
    assert [value(one) for one in (hits.fits, hits.partly, hits.not_there)] == [0.25, 0.25, 0.5]
    assert value(hits.fits_by_share) == pytest.approx(0.3 / 0.8)
    assert value(hits.not_there_by_share) == pytest.approx(0.2 / 0.8)
    assert value(hits.named) == pytest.approx(0.4)  # (0.3 + 0.1) of two pairs of 0.5
    assert value(hits.named_and_holds) == pytest.approx(0.3)
    assert value(hits.named, "low") == 0  # a draw may have the pair without a name alone
    others, decoys = found.groups["other hits"], found.groups["decoys"]
    assert value(others.partly) == value(decoys.not_there) == 1
    assert (decoys.fits_by_share, decoys.named) == (None, None)
    assert found.groups["all hits"].names == 6
    assert found.judges == ("one", "two")
    assert found.alpha == krippendorff_alpha([first.verdicts, second.verdicts])
    shown = [{at: one.verdicts[at] for at in (("a-1", 1), ("a-1", 3), ("a-3", 1))} for one in (first, second)]
    assert found.alpha_shown == krippendorff_alpha(shown) != found.alpha


def test_a_sheet_of_another_key_is_refused() -> None:
    with pytest.raises(InputError, match="name 9 of 'a-1', which is not in the key"):
        score_names(KEY, [Sheet("one", {("a-1", 9): 2})])


def test_a_key_survives_its_file_and_is_never_overwritten(tmp_path: Path) -> None:
    write_key(tmp_path / "key.csv", [*KEY, key_row("a-4", 1, "shown", relevant=None)])
    assert read_key(tmp_path / "key.csv") == [*KEY, key_row("a-4", 1, "shown", relevant=None)]
    with pytest.raises(InputError, match="exists already"):
        write_key(tmp_path / "key.csv", KEY)
    text = (tmp_path / "key.csv").read_text()
    (tmp_path / "bad.csv").write_text(text.replace("decoy", "fake"))
    with pytest.raises(InputError, match="line 3: field 'kind'"):
        read_key(tmp_path / "bad.csv")


@pytest.mark.parametrize(
    ("column", "value"), [("share", "nan"), ("whole", "inf"), ("share", "1e308"), ("number", "-1")]
)
def test_a_key_has_no_impossible_numbers(tmp_path: Path, column: str, value: str) -> None:
    write_key(tmp_path / "key.csv", KEY)
    head, first, *_ = (tmp_path / "key.csv").read_text().splitlines()
    cells = dict(zip(head.split(","), first.split(","), strict=True)) | {column: value}
    (tmp_path / "bad.csv").write_text(f"{head}\n{','.join(cells.values())}\n")
    with pytest.raises(InputError, match="line 2: field 'number', 'whole' or 'share' is not a number"):
        read_key(tmp_path / "bad.csv")
    (tmp_path / "twice.csv").write_text("\n".join((head, first, first)))
    with pytest.raises(InputError, match="line 3: duplicate name"):
        read_key(tmp_path / "twice.csv")


# ---------------------------------------------------------------- sheets


def test_a_sheet_is_filled_in_and_read(tmp_path: Path) -> None:
    write_sheet(tmp_path / "s.csv", ITEMS)
    text = (tmp_path / "s.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[0] == "item,number,query,document,name,verdict,judge"
    assert "'=cmd" in text
    filled = text.replace("refunds,,", "refunds,Fits,").replace("football,,", "football,not_there,ann")
    (tmp_path / "f.csv").write_text(filled)
    read = read_sheet(tmp_path / "f.csv")
    assert read == Sheet("ann", {("a-1", 1): 2, ("a-1", 2): 0}, {("a-1", 1): "refunds", ("a-1", 2): "football"})
    with pytest.raises(InputError, match="exists already"):
        write_sheet(tmp_path / "s.csv", ITEMS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a-1,1,perhaps\n", "line 2: field 'verdict' is 'perhaps'"),
        ("a-1,one,fits\n", "line 2: field 'number'"),
        ("a-1,1,fits\na-1,1,partly\n", "line 3: duplicate name 1 of 'a-1'"),
        ("a-1,1,\n", "contains no verdicts"),
    ],
)
def test_unusable_sheets_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "s.csv").write_text(f"item,number,verdict\n{rows}")
    with pytest.raises(InputError, match=message):
        read_sheet(tmp_path / "s.csv")


def test_a_sheet_with_ids_and_verdicts_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("item,number,verdict\na-1,1,partly\n")
    assert read_sheet(tmp_path / "s.csv") == Sheet("whoever filled in s.csv", {("a-1", 1): 1})


def test_a_page_has_every_name_and_runs_no_text_of_the_corpus(tmp_path: Path) -> None:
    write_sheet(tmp_path / "s.html", ITEMS)
    page = (tmp_path / "s.html").read_text()
    assert page.count("</script>") == 2
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert [one["names"] for one in data["items"]] == [{"1": "refunds", "2": "football"}, {"1": "tea"}]
    assert data["items"][1]["document"] == "tea </script> and milk"
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.slow
def test_a_page_keeps_and_saves_verdicts(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    write_sheet(tmp_path / "s.html", ITEMS)
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"no Chromium ({str(error).splitlines()[0]})")
        page = browser.new_page()
        page.goto((tmp_path / "s.html").as_uri())
        page.fill("#judge", "Ann, B.")
        page.locator("fieldset").nth(1).get_by_label("not there").check()
        page.locator("fieldset").nth(2).get_by_label("partly").check()
        page.reload()
        assert page.inner_text("#count") == "2 of 3 names answered"
        with page.expect_download() as download:
            page.click("#save")
        download.value.save_as(tmp_path / "v.csv")
        browser.close()
    assert read_sheet(tmp_path / "v.csv") == Sheet("Ann, B.", {("a-1", 2): 0, ("a-2", 1): 1})


# ---------------------------------------------------------------- judges


def test_a_language_model_judges_and_is_asked_again() -> None:
    answers = iter(["no idea", '{"verdicts": ["fits", "not there"]}'])
    model = ReplayChat(lambda request: next(answers))
    sheet, stopped = judge(ITEMS[:1], LlmReader(model), concurrency=1)
    assert stopped is None
    assert sheet.judge == "llm:replay"
    assert sheet.verdicts == {("a-1", 1): 2, ("a-1", 2): 0}
    question = model.requests[0].messages[-1].content
    assert "1. refunds\n2. football" in question
    assert "a-1" not in question
    assert "2 verdicts" in model.requests[1].messages[-1].content


def test_pairs_without_a_usable_answer_stay_empty() -> None:
    sheet, _ = judge(ITEMS, LlmReader(ReplayChat(lambda _: '{"verdicts": ["fits"]}'), retries=0), concurrency=1)
    assert sheet.verdicts == {("a-2", 1): 2}


def test_an_encoder_judges_by_both_texts_and_states_its_threshold() -> None:
    texts = [f"word{i} thing{i} item{i}" for i in range(40)]
    items = [SheetItem(f"a-{i}", texts[i], texts[i], {1: texts[i], 2: texts[(i + 1) % 40]}) for i in range(40)]
    one_side = SheetItem("b-1", texts[0], texts[1], {1: texts[0]})
    reader = EncoderReader(HashingEncoder(128), HashingEncoder(64).identity)
    sheet, _ = judge([*items, one_side], reader)
    assert {sheet.verdicts[f"a-{i}", 1] for i in range(40)} == {2}
    assert np.mean([sheet.verdicts[f"a-{i}", 2] for i in range(40)]) < 0.2
    assert sheet.verdicts["b-1", 1] < 2
    assert "fits at 1.7 standard deviations or more, partly at 0.85 or more" in sheet.judge
    with pytest.raises(MismatchError, match="explained encoder itself"):
        EncoderReader(HashingEncoder(64), HashingEncoder(64).identity)


# ---------------------------------------------------------------- from an index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("names")
    rows = [{"_id": f"d{i}", "text": f"word{i} word{i % 7} of place {i % 5} and {i % 3}"} for i in range(60)]
    (folder / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_index(Corpus((folder / "c.jsonl",)), replace(random_explainer(), sae=random_sae(k=4)), folder / "ix")
    return open_index(folder / "ix")


QUERIES = Queries([f"d{i}" for i in range(30)], [f"word{i} word{i % 7} of place {i % 5}" for i in range(30)], 0)
JUDGED = {f"d{i}": {f"d{(i + 35) % 60}": 1, f"d{i + 7}": 1} for i in range(30)}


def test_names_are_those_that_explanations_show_and_decoys_are_silent(index: Index) -> None:
    key = draw_names(index, QUERIES, JUDGED, NamesConfig(pairs=20))
    assert len({row.item for row in key}) == 20
    assert all(row.query != row.document for row in key)  # never the query's own document
    texts = dict(zip(QUERIES.ids, QUERIES.texts, strict=True))
    for row in key:
        explanation = next(hit for hit in index.search(texts[row.query]) if hit.doc_id == row.document).explanation
        shared = {str(j) for j in explanation.shared_features}
        if row.kind == "shown":
            assert set(row.feature.split()) <= shared
            assert row.name in {term.shown_label for term in explanation.trusted().terms}
            term = next(term for term in explanation.terms if str(term.feature_id) == row.feature.split()[0])
            assert row.share == pytest.approx(term.share, abs=1e-6)
            assert row.whole == pytest.approx(explanation.score - explanation.bias, abs=1e-6)
        elif row.kind == "decoy":
            assert row.feature not in shared
    assert {row.kind for row in key} >= {"shown", "decoy"}
    drawn = {row.item: row.relevant for row in key}
    assert sum(map(bool, drawn.values())) == 10
    assert key == draw_names(index, QUERIES, JUDGED, NamesConfig(pairs=20))
    assert key != draw_names(index, QUERIES, JUDGED, NamesConfig(pairs=20, seed=1))


def test_without_judgments_pairs_are_not_told_apart(index: Index) -> None:
    key = draw_names(index, QUERIES, config=NamesConfig(pairs=8, decoys=0))
    assert {row.relevant for row in key} == {None}
    assert "decoy" not in {row.kind for row in key}


def test_texts_come_from_the_data_again(index: Index, tmp_path: Path) -> None:
    key = draw_names(index, QUERIES, JUDGED, NamesConfig(pairs=12))
    items = sheet_items(key, index, QUERIES)
    write_key(tmp_path / "key.csv", key)
    assert sheet_items(read_key(tmp_path / "key.csv"), index, QUERIES) == items
    assert not any(kind in json.dumps(items) for kind in ("decoy", "shown"))
    with pytest.raises(InputError, match="there is no query"):
        sheet_items(key, index, Queries(["other"], ["text"], 0))
    with pytest.raises(InputError, match="has changed since the key was made"):
        sheet_items(read_key(tmp_path / "key.csv"), index, QUERIES._replace(texts=["zebra"] * 30))
    lines = [line.rpartition(",")[0] for line in (tmp_path / "key.csv").read_text().splitlines()]
    (tmp_path / "earlier.csv").write_text("\n".join(lines))  # without digests
    assert sheet_items(read_key(tmp_path / "earlier.csv"), index, QUERIES) == items


@pytest.mark.slow
def test_from_an_index_to_a_table(work: Path) -> None:
    run("index", "build", "corpus.jsonl", "--output", "ix", "--explainer", "toy")
    lines = [json.dumps({"_id": f"q{i}", "text": f"the tea and the kidney of place {i}"}) for i in range(20)]
    (work / "q.jsonl").write_text("\n".join(lines))
    base = ("evaluate", "names", "ix", "--queries", "q.jsonl", "--key", "key.csv", "--pairs", 10)
    assert "pairs in key.csv" in run(*base, "--sheet", "s.csv")
    run(*base, "--sheet", "page.html")  # of the same key
    (work / "llm.jsonl").write_text(json.dumps({"answer": "none"}) + "\n")
    sheet = (work / "s.csv").read_text(encoding="utf-8-sig").splitlines()
    filled = [sheet[0], *(line.rpartition(",,")[0] + ",fits,ann" for line in sheet[1:])]
    (work / "ann.csv").write_text("\n".join(filled) + "\n")
    table = run("evaluate", "verdicts", "key.csv", "ann.csv")
    assert "judged by ann" in table
    assert "no verdict" not in table
    (work / "half.csv").write_text("\n".join(filled[:2]) + "\n")
    assert f"{len(filled) - 2} of {len(filled) - 1} names have no verdict" in run(
        "evaluate", "verdicts", "key.csv", "half.csv"
    )
    found = json.loads(run("evaluate", "verdicts", "key.csv", "ann.csv", "--format", "json", "--judged-by", "Ann"))
    assert found["judges"] == ["Ann"]
    assert found["groups"]["hits"]["fits"]["value"] == 1
    with pytest.raises(InputError, match="exists already"):
        run(*base, "--sheet", "s.csv")
    spent = run(*base, "--sheet", "m.csv", "--llm", "replay:llm.jsonl", "--budget-requests", 1, code=3)
    assert "larger budget" in spent
