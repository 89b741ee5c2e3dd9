"""Questions about what an encoder does: drawn from an index, shown in arms, answered and scored."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer
from page_data import chromium
from test_cli_label import refused, run

from xetrieval.data.judgments import Queries
from xetrieval.encoders import HashingEncoder
from xetrieval.errors import InputError, MismatchError
from xetrieval.evaluate.simulatability import (
    AnswerSheet,
    EncoderStudent,
    Line,
    LlmStudent,
    Question,
    SimulatabilityConfig,
    answer_all,
    draw_questions,
    read_key,
    read_sheet,
    score_answers,
    write_key,
    write_sheet,
)
from xetrieval.evaluate.simulatability.arms import Phrases, ShownLine, in_arm, strangers
from xetrieval.features import Feature
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.llm import ReplayChat
from xetrieval.sae import SparseAutoencoder

TOPICS = [
    *("tea", "kidney", "football", "weather", "music", "river", "bridge", "chess", "garden", "engine", "castle"),
    *("violin", "pepper", "saddle", "lantern", "harbour", "pigeon", "marble", "turnip", "glacier"),
]
FILLER = ("people in many towns know", "some of our readers ask about", "there was once a story of", "we all remember")


def question(item: str, part: str = "ranking", arm: str = "true", **changed: object) -> Question:
    lines = {"given": (Line("tea"),), "a": (Line("tea: cup", 0.3),), "b": (Line("=football", 0.2),)}
    made = Question(item=item, part=part, arm=arm, right="A", gap=0.1, query="q1", documents=("d1", "d2"), **lines)  # type: ignore[arg-type]
    return replace(made, **changed)  # type: ignore[arg-type]


KEY = [
    question("x-1", states="A"),
    question("x-2", right="B", query="q2", states="A"),
    question("x-3", arm="nothing", a=(), b=(), query="q3", states="A"),
    question("x-4", "sentence", given=(), b=(Line("=football"),), right="B"),
]


# ---------------------------------------------------------------- a planted dictionary


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Features that are the words of the topics, and documents of one sentence for each of their three topics."""
    folder = tmp_path_factory.mktemp("simulatability")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(120):
        topics = [TOPICS[at] for at in rng.permutation(len(TOPICS))[:3]]
        text = " ".join(
            f"{FILLER[(i + at) % 4].capitalize()} the {one} and the {one}." for at, one in enumerate(topics)
        )
        rows.append({"_id": f"d{i}", "text": text})
    (folder / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    directions = HashingEncoder(256).encode_document(TOPICS)
    sae = SparseAutoencoder(
        encoder_weight=directions.copy(),
        encoder_bias=np.zeros(len(TOPICS), np.float32),
        decoder_weight=np.ascontiguousarray(directions.T),
        decoder_bias=np.zeros(256, np.float32),
        k=3,
    )
    features = tuple(Feature(i, topic, "worksheet", 0.1) for i, topic in enumerate(TOPICS))
    explainer = replace(random_explainer(256), sae=sae, features=features, internalizers={})
    build_index(Corpus((folder / "c.jsonl",)), explainer, folder / "ix")
    return open_index(folder / "ix")


PAIRS = [(a, b) for at, a in enumerate(TOPICS) for b in TOPICS[at + 1 : at + 4]]
QUERIES = Queries([f"q{i}" for i in range(len(PAIRS))], [f"{a} {a} {b}" for a, b in PAIRS], 0)


@pytest.fixture(scope="module")
def key(index: Index) -> list[Question]:
    return draw_questions(index, QUERIES, SimulatabilityConfig(40, repeat=True))


def test_the_true_arm_wins_and_shuffled_names_say_nothing(index: Index, key: list[Question]) -> None:
    student = EncoderStudent(HashingEncoder(128), index.explainer.encoder_identity)
    found = score_answers(key, [answer_all(key, student)[0]]).students[student.name]
    right = {(part, arm): one.right for part, arms in found.items() for arm, one in arms.items()}
    for part in ("sentence", "ranking"):
        true, shuffled = right[part, "true"], right[part, "shuffled"]
        assert true is not None
        assert shuffled is not None
        assert true.value >= 0.85
        assert true.low > shuffled.high
        assert 0.25 <= shuffled.value <= 0.7
        nothing = right[part, "nothing"]
        assert nothing is not None
        assert 0.25 <= nothing.value <= 0.75


def test_answers_are_what_the_encoder_does(index: Index, key: list[Question]) -> None:
    encoder = index.explainer.encoder
    texts = dict(zip(QUERIES.ids, QUERIES.texts, strict=True))
    for one in key:
        if one.arm != "true":
            continue
        if one.part == "sentence":
            document = index.document(index.row_of(one.documents[0])).text
            rests = [document.replace(side[0].text, "") for side in (one.a, one.b)]
            scores = encoder.encode_document(rests) @ encoder.encode_query([texts[one.query]])[0]
            assert one.right == "AB"[int(scores.argmin())]
        else:
            assert one.given[0].text == texts[one.second] != texts[one.query]
            rows = np.array([index.row_of(doc_id) for doc_id in one.documents])
            q = encoder.encode_query([texts[one.second]])
            scores = index.vectors(rows) @ q[0]
            assert one.right == "AB"[int(scores.argmax())]
            codes = index.explainer.sae.encode(q)
            assert one.feature == codes.features[0][codes.values[0].argmax()]
            states = [any(TOPICS[one.feature] in str(line) for line in side) for side in (one.a, one.b)]
            assert one.states == "AB"[states.index(True)]
        assert one.gap == pytest.approx(abs(float(scores[0] - scores[1])), abs=1e-3)
    assert {one.right for one in key} == {"A", "B"}


def test_what_questions_show(index: Index, key: list[Question]) -> None:
    texts = dict(zip(QUERIES.ids, QUERIES.texts, strict=True))
    asked = {(one.part, one.query, one.documents, one.second): [] for one in key}
    for one in key:
        asked[one.part, one.query, one.documents, one.second].append(one.arm)
        sides = (one.given,) if one.part == "sentence" else (one.a, one.b)
        if one.arm == "nothing":
            assert sides == ((),) * len(sides)
        assert not any(texts[one.query] == line.text for side in (one.given, one.a, one.b) for line in side)
    assert {len(set(arms)) for arms in asked.values()} == {5}
    assert key == draw_questions(index, QUERIES, SimulatabilityConfig(40, repeat=True))
    apart = draw_questions(index, QUERIES, SimulatabilityConfig(6, ("true", "nothing"), seed=1))
    assert len(apart) == 24
    assert (
        len({(one.part, one.query, one.documents, one.second, one.given) for one in apart if one.arm == "true"}) == 12
    )


def test_what_cannot_be_drawn_is_refused(index: Index, tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"_id": "d1", "text": "tea"}\n{"_id": "d2", "text": "tea and chess"}\n')
    build_index(Corpus((tmp_path / "c.jsonl",)), index.explainer, tmp_path / "ix")
    short = open_index(tmp_path / "ix")
    for arms in ((), ("true", "true"), ("false",)):
        with pytest.raises(InputError, match="choose from true, shuffled"):
            SimulatabilityConfig(arms=arms)
    with pytest.raises(InputError, match="out of range"):
        SimulatabilityConfig(0)
    with pytest.raises(InputError, match="these queries give no question"):
        draw_questions(short, Queries(["q"], ["tea"], 0))


# ---------------------------------------------------------------- arms


def test_shuffled_lines_are_of_features_that_no_explanation_has() -> None:
    pool = [ShownLine((j,), f"name {j}", (f"word{j}",), 0.1 * j) for j in range(1, 9)]
    others = strangers([pool[:2], pool[1:3]], pool, np.random.default_rng(0))
    assert set(others) == {(1,), (2,), (3,)}
    assert all(other.ids[0] > 3 for other in others.values())
    assert len({other.ids for other in others.values()}) == 3
    shown = in_arm("shuffled", pool[:2], others, tuple)
    assert [line.share for line in shown] == [0.1, 0.2]  # of the features themselves
    assert [line.text for line in shown] == [others[(1,)].text, others[(2,)].text]
    assert strangers([pool], pool, np.random.default_rng(0)) == {}


def test_arms_of_words_and_phrases() -> None:
    lines = [ShownLine((1,), "tea", ("Tea", "cup"), 0.3), ShownLine((2,), "", ("teas",), 0.1)]
    assert [str(line) for line in in_arm("true", lines, {}, tuple)] == ["0.30  tea: Tea, cup", "0.10  teas"]
    assert in_arm("words", lines, {}, tuple) == (Line("teas, cup"),)
    assert in_arm("nothing", lines, {}, tuple) == ()
    found = Phrases(["the cat sat", "the cat ran", "a dog sat"]).of("The cat drinks green tea. Green tea is hot.", 2)
    assert found[0] == Line("green tea")
    assert len(found) == 2


# ---------------------------------------------------------------- keys and sheets


def test_a_key_survives_its_file_and_is_never_overwritten(tmp_path: Path) -> None:
    write_key(tmp_path / "key.jsonl", KEY)
    assert read_key(tmp_path / "key.jsonl") == KEY
    with pytest.raises(InputError, match="exists already"):
        write_key(tmp_path / "key.jsonl", KEY)
    text = (tmp_path / "key.jsonl").read_text()
    for old, new, message in (
        ('"right": "B"', '"right": "C"', "line 2: not a question"),
        ('"right": "B"', '"right": "Q"', "field 'right': is 'Q', not A or B"),
        ('"states": "A"', '"states": "Q"', "field 'states': is 'Q', not A or B or empty"),
        ('"gap": 0.1, ', "", "line 1: not a question.*'gap' is missing"),
        ("x-2", "x-1", "line 2: duplicate item 'x-1'"),
    ):
        (tmp_path / "bad.jsonl").write_text(text.replace(old, new))
        with pytest.raises(InputError, match=message):
            read_key(tmp_path / "bad.jsonl")


def test_a_sheet_shows_no_key_and_is_read_again(tmp_path: Path) -> None:
    write_sheet(tmp_path / "s.csv", KEY)
    text = (tmp_path / "s.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[0] == "item,question,given,A,B,answer,reader"
    assert ",'=football," in text  # a spreadsheet would run it
    assert not any(word in text for word in ("q1", "d1", "shuffled", "true"))
    (tmp_path / "f.csv").write_text("item,answer,reader\nx-1,a,ann\nx-2,,\nx-4,B,ann\n")
    assert read_sheet(tmp_path / "f.csv") == AnswerSheet("ann", {"x-1": "A", "x-4": "B"})
    with pytest.raises(InputError, match="exists already"):
        write_sheet(tmp_path / "s.csv", KEY)
    with pytest.raises(InputError, match="a page is for people"):
        write_sheet(tmp_path / "s.html", KEY, AnswerSheet("ann", {}))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("x-1,C\n", "line 2: field 'answer' is 'C'"),
        ("x-1,A\nx-1,B\n", "line 3: duplicate item 'x-1'"),
        ("x-1,\n", "contains no answers"),
    ],
)
def test_unusable_sheets_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "s.csv").write_text(f"item,answer\n{rows}")
    with pytest.raises(InputError, match=message):
        read_sheet(tmp_path / "s.csv")


@pytest.mark.slow
def test_a_page_keeps_and_saves_answers(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    write_sheet(tmp_path / "s.html", KEY)
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"no Chromium ({str(error).splitlines()[0]})")
        page = browser.new_page()
        page.goto((tmp_path / "s.html").as_uri())
        page.fill("#judge", "ann")
        page.locator("fieldset").nth(1).get_by_label("B").check()
        assert page.inner_text("#count") == "1 of 4 questions answered"
        with page.expect_download() as download:
            page.click("#save")
        download.value.save_as(tmp_path / "a.csv")
        browser.close()
    assert read_sheet(tmp_path / "a.csv") == AnswerSheet("ann", {"x-2": "B"})


# ---------------------------------------------------------------- students and scores


def test_a_language_model_answers_and_is_asked_again() -> None:
    answers = iter(["perhaps", '{"answer": "B"}'])
    model = ReplayChat(lambda request: next(answers))
    sheet, stopped = answer_all(KEY[:1], LlmStudent(model), concurrency=1)
    assert (sheet, stopped) == (AnswerSheet("llm:replay", {"x-1": "B"}), None)
    asked = model.requests[0].messages[-1].content
    assert "A:\n0.30  tea: cup\nB:\n0.20  =football" in asked
    assert not any(word in asked for word in ("x-1", "q1", "d1"))
    assert 'was not {"answer": "A"}' in model.requests[1].messages[-1].content
    unusable = LlmStudent(ReplayChat(lambda _: '{"answer": "C"}'), retries=0)
    assert answer_all(KEY, unusable)[0].answers == {}


def test_an_encoder_without_a_text_takes_the_longer_option() -> None:
    with pytest.raises(MismatchError, match="explained encoder itself"):
        EncoderStudent(HashingEncoder(64), HashingEncoder(64).identity)
    student = EncoderStudent(HashingEncoder(128), HashingEncoder(64).identity)
    assert answer_all(KEY, student)[0].answers == {"x-1": "A", "x-2": "A", "x-3": "A", "x-4": "B"}


def test_scores_by_part_and_arm() -> None:
    ann, bob = AnswerSheet("ann", {"x-1": "A", "x-2": "A", "x-3": "B"}), AnswerSheet("bob", {"x-1": "A", "x-2": "B"})
    found = score_answers(KEY, [ann, bob])
    assert list(found.students) == ["ann", "bob", "all students"]
    true = found.students["all students"]["ranking"]["true"]
    assert (true.questions, true.answered) == (2, 4)
    assert true.right is not None
    assert (true.right.value, true.right.low, true.right.high) == (0.75, 0.5, 1.0)
    assert found.students["ann"]["sentence"]["true"].right is None
    assert found.states is not None
    assert found.states.value == pytest.approx(2 / 3, abs=1e-4)
    for sheets, message in (
        ([], "at least one"),
        ([ann, ann], "two sheets are by 'ann'"),
        ([AnswerSheet("eve", {"y": "A"})], "'y', which is not in the key"),
    ):
        with pytest.raises(InputError, match=message):
            score_answers(KEY, sheets)


def test_from_an_index_to_a_table(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"_id": name, "text": text}) for name, text in zip(QUERIES.ids, QUERIES.texts, strict=True)]
    Path("q.jsonl").write_text("\n".join(lines))
    base = ("evaluate", "simulatability", index.folder, "--queries", "q.jsonl", "--key", "key.jsonl")
    few = (*base, "--questions", 3, "--arms", "true,nothing")
    assert "12 questions in s.csv" in run(*few, "--sheet", "s.csv")
    run(*base, "--sheet", "page.html")  # of the same key
    run(*base, "--sheet", "e.csv", "--judge", "hashing:128")
    table = run("evaluate", "answers", "key.jsonl", "e.csv")
    assert "chance is 0.50" in table
    assert "sentence" in table
    Path("half.csv").write_text(f"item,answer,reader\n{read_key(Path('key.jsonl'))[0].item},A,ann\n")
    both = run("evaluate", "answers", "key.jsonl", "e.csv", "half.csv", "--format", "json")
    assert "11 of 12 questions have no answer" in both
    Path("llm.jsonl").write_text(json.dumps({"answer": '{"answer": "A"}'}) + "\n")
    assert "larger budget" in run(
        *base, "--sheet", "m.csv", "--llm", "replay:llm.jsonl", "--budget-requests", 1, code=3
    )
    for more, message in (
        (("--judge", "hashing:128", "--llm", "replay:llm.jsonl"), "not both"),
        (("--arms", "false"), "choose from true"),
        (("--judge", "hashing:256"), "the explained encoder itself"),
        (("--budget-requests", 1), "applies only to --llm"),
    ):
        assert message in refused(capsys, monkeypatch, *base, "--sheet", "new.csv", *more)
        assert not Path("new.csv").exists()
