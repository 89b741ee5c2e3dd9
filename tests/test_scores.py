"""Judges and scores: right labels score high, wrong ones at chance, and a judge is tried before it judges."""

from __future__ import annotations

import json

import numpy as np
import pytest
from label_data import CONFIG, SUBJECTS, subject_examples, subject_sae

from xetrieval.configs.labels import Negatives
from xetrieval.encoders import FunctionEncoder, HashingEncoder
from xetrieval.errors import InputError, MismatchError
from xetrieval.intervals import bootstrap, wilson
from xetrieval.labels.judges import EncoderJudge, Judge, LlmJudge, Marked, odd_one_out
from xetrieval.labels.planted import judge_planted, planted
from xetrieval.labels.scores import SCORES, ScoresConfig, fit_to_examples, questions, right_order, score_labels
from xetrieval.llm import Budget, CachedChat, Ledger, ReplayChat, Request
from xetrieval.records import record_of

RIGHT = dict(enumerate(SUBJECTS))
EXPLAINED = HashingEncoder(64).identity


def word_judge() -> EncoderJudge:
    """An encoder that counts the subjects' words."""

    def embed(texts: list[str]) -> np.ndarray:
        rows = [[text.count(subject) for subject in SUBJECTS] + [0.1] for text in texts]
        return np.array(rows, np.float32)

    return EncoderJudge(FunctionEncoder(embed, name="words", version="1"), EXPLAINED)


def listed(request: Request) -> tuple[list[str], str]:
    """The numbered texts of a question, and the name in it."""
    lines = request.messages[-1].content.splitlines()
    texts = [line.split(". ", 1)[1] for line in lines if line[:1].isdigit()]
    return texts, lines[-1].removeprefix("Name: ")


def good_chat(request: Request) -> str:
    texts, name = listed(request)
    if request.schema and "intruder" in request.schema["properties"]:
        words = [{s for s in SUBJECTS if s in text} for text in texts]
        odd = min(range(len(texts)), key=lambda i: sum(bool(words[i] & w) for w in words))
        return json.dumps({"intruder": odd + 1})
    inside = [t.split("[[")[1].split("]]")[0] if "[[" in t else t for t in texts]
    return json.dumps({"fits": [i for i, text in enumerate(inside, 1) if name in text]})


def test_right_labels_score_high_and_shuffled_ones_do_not() -> None:
    scored = score_labels(subject_examples(), RIGHT, word_judge(), ScoresConfig())
    records = {(r["kind"], r["negatives"]): r for r in map(record_of, scored.summary())}
    assert set(records) == {(k, n) for k in ("detection", "fuzz", "intruder") for n in ("random", "hard")}
    for (kind, _), record in records.items():
        assert record["features"] == 8
        assert record["mean"] > 0.9, record
        assert record["mean_ci"][0] <= record["mean"] <= record["mean_ci"][1]
        if kind != "intruder":
            assert record["shuffled_labels"] < 0.65, record
            assert record["chance"] == 0.5
        else:
            assert "shuffled_labels" not in record, "an intruder needs no label"
            assert record["chance"] == 0.1
    assert scored.judge == "encoder:function words"


def test_a_language_model_judges_by_the_same_code() -> None:
    judge = LlmJudge(CachedChat(ReplayChat(good_chat)))
    scored = score_labels(subject_examples(), RIGHT, judge, ScoresConfig(concurrency=4))
    for record in map(record_of, scored.summary()):
        assert record["mean"] > 0.9, record
    assert scored.failed == 0
    assert scored.judge == "llm:replay"


def test_questions_hold_judged_texts_alone_and_are_shuffled() -> None:
    chat = ReplayChat(good_chat)
    examples = subject_examples()
    score_labels(examples, RIGHT, LlmJudge(CachedChat(chat)), ScoresConfig(kinds=("detection",), negatives=("hard",)))
    shown = {e.text for f in examples for part in f.labelling for e in part}
    answers = []
    for request in chat.requests:
        texts, _ = listed(request)
        assert not shown & set(texts)
        answers.append(tuple(json.loads(good_chat(request))["fits"]))
    assert len(set(answers)) > 4, "the active texts do not always stand first"


def test_a_sample_is_a_part_of_a_larger_one() -> None:
    examples = subject_examples()
    few = {t.feature_id for t in questions(examples, RIGHT, ScoresConfig(features=3))}
    more = {t.feature_id for t in questions(examples, RIGHT, ScoresConfig(features=5))}
    assert len(few) == 3
    assert few < more


def test_answers_of_no_use_are_counted_and_never_guessed() -> None:
    answers = iter(["", "[1, 2]", '{"fits": [1, 99]}', '{"fits": [true]}', '{"fits": "1"}', '{"fits": [1, 2]}', "{"])
    judge = LlmJudge(CachedChat(ReplayChat(lambda _: next(answers))), retries=0)
    texts = ["one", "two", "three"]
    assert [judge.fits("x", [*texts, str(n)]) is None for n in range(5)] == [True] * 5
    found = judge.fits("x", texts)
    assert found is not None
    assert found.tolist() == [1, 1, 0]
    assert judge.intruder(texts) is None
    nothing = LlmJudge(CachedChat(ReplayChat(lambda _: "no")), retries=1)
    scored = score_labels(subject_examples(), RIGHT, nothing, ScoresConfig(kinds=("detection",), shuffled=False))
    assert scored.failed == 16
    assert scored.summary() == []


def test_a_large_set_is_asked_about_in_parts() -> None:
    chat = ReplayChat(lambda r: json.dumps({"fits": [i for i, t in enumerate(listed(r)[0], 1) if "tea" in t]}))
    found = LlmJudge(CachedChat(chat), at_once=2).fits("tea", ["tea", "no", "tea", "tea", "no"])
    assert found is not None
    assert found.tolist() == [1, 0, 1, 1, 0]
    assert len(chat.requests) == 3


def test_a_budget_ends_a_scoring_and_the_next_run_goes_on() -> None:
    chat, config = (
        ReplayChat(good_chat),
        ScoresConfig(kinds=("detection",), negatives=("random",), shuffled=False, concurrency=1),
    )
    first = score_labels(
        subject_examples(), RIGHT, LlmJudge(CachedChat(chat, ledger=Ledger(Budget(requests=6)))), config
    )
    assert first.stopped is not None
    assert len(first.scores) == 3
    second = score_labels(subject_examples(), RIGHT, LlmJudge(CachedChat(chat)), config)
    assert second.stopped is None
    assert len(second.scores) == 8
    assert len(chat.requests) == 16, "two questions a feature, none twice"


def test_the_explained_encoder_may_not_judge_itself() -> None:
    with pytest.raises(MismatchError, match="explained encoder itself"):
        EncoderJudge(HashingEncoder(64), EXPLAINED)


@pytest.mark.slow
def test_planted_cases_tell_a_good_judge_from_a_guessing_one() -> None:
    features, labels = planted()
    subject = {t.text: labels[f.feature_id] for f in features for t in f.judging.top}
    assert len(features) == 16
    for feature in features:
        words = {w for w in labels[feature.feature_id].lower().split() if len(w) > 3} - {"that"}
        for example in feature.judging.top:
            assert not words & set(example.passage.lower().rstrip(".").split()), "the label would give it away"
        assert len({e.passage for e in (*feature.judging.top, *feature.judging.random, *feature.judging.hard)}) == 18

    def knows(request: Request) -> str:
        texts, name = listed(request)
        inside = [t.split("[[")[1].split("]]")[0] if "[[" in t else t for t in texts]
        return json.dumps({"fits": [i for i, text in enumerate(inside, 1) if subject[text] == name]})

    perfect = judge_planted(LlmJudge(CachedChat(ReplayChat(knows, "perfect"))))
    assert [(r.kind, r.negatives, r.value) for r in perfect] == [
        (kind, negatives, 1.0) for kind in ("detection", "fuzz") for negatives in ("random", "hard")
    ]
    always = judge_planted(
        LlmJudge(
            CachedChat(ReplayChat(lambda r: json.dumps({"fits": list(range(1, len(listed(r)[0]) + 1))}), "always"))
        )
    )
    assert all(r.value == 0.5 and r.ci[0] < 0.5 < r.ci[1] for r in always)


def test_fuzz_marks_one_part_of_the_same_text() -> None:
    tasks = list(questions(subject_examples(), RIGHT, ScoresConfig(kinds=("fuzz",), negatives=("hard",))))
    assert tasks
    for task in tasks:
        for right, wrong in zip(task.texts.active, task.texts.silent, strict=True):
            assert isinstance(right, Marked)
            whole = [f"{m.before}{m.marked}{m.after}" for m in (right, wrong)]
            assert whole[0] == whole[1]
            assert right.marked != wrong.marked
            assert SUBJECTS[task.feature_id] in right.marked or right.marked.startswith("Nobody")


def test_the_measures_are_what_they_say() -> None:
    first = np.array([True, True, False, False])
    assert right_order(np.array([3.0, 2.0, 1.0, 0.0]), first) == 1.0
    assert right_order(np.array([0.0, 1.0, 2.0, 3.0]), first) == 0.0
    assert right_order(np.ones(4), first) == 0.5
    assert right_order(np.array([1.0, 0.0, 0.0, 0.0]), first) == 0.75, "yes and no: the mean of both accuracies"
    assert odd_one_out(np.array([[1, 0], [0.6, 0.8], [1, 0], [1, 0]], np.float32)) == 1
    assert SCORES["intruder"].chance == pytest.approx(0.1)
    low, high = wilson(0.5, 20)
    assert low < 0.5 < high
    mean, low, high = bootstrap(np.array([0.0, 1.0] * 50))
    assert mean == 0.5
    assert 0.38 < low < 0.45 < 0.55 < high < 0.62


def test_candidates_are_chosen_on_shown_texts() -> None:
    feature = subject_examples()[0]
    judge = word_judge()
    assert fit_to_examples(judge, "tea", feature) > fit_to_examples(judge, "chess", feature)


def test_settings_and_labels_that_cannot_be_scored_are_refused() -> None:
    with pytest.raises(InputError, match="kinds are detection"):
        ScoresConfig(kinds=("mood",))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="texts 2 is out of range; give a whole number, at least 4"):
        ScoresConfig(texts=2)
    with pytest.raises(InputError, match="no labelled feature"):
        score_labels(subject_examples(), {}, word_judge())
    assert CONFIG.top > 9
    assert subject_sae().features == 8


@pytest.fixture(params=["encoder", "llm"])
def judge(request: pytest.FixtureRequest) -> Judge:
    """Every judge; a new one is a line here."""
    return {"encoder": word_judge, "llm": lambda: LlmJudge(CachedChat(ReplayChat(good_chat)))}[request.param]()


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("negatives", ["random", "hard"])
def test_every_score_works_with_every_judge(kind: str, negatives: Negatives, judge: Judge) -> None:
    score, config = SCORES[kind], ScoresConfig(kinds=(kind,), negatives=(negatives,))
    scored = score_labels(subject_examples(), RIGHT, judge, config)
    assert len(scored.scores) == len(SUBJECTS)
    for (one,) in scored.scores.values():
        assert (one.kind, one.negatives, one.judge, one.chance) == (kind, negatives, judge.name, score.chance)
        assert 0 <= one.low <= one.value <= one.high <= 1
    assert np.mean([one.value for (one,) in scored.scores.values()]) > 0.9
    assert bool(scored.shuffled) == score.needs_label


def test_every_judge_answers_both_questions(judge: Judge) -> None:
    texts = ["The tea of place ab.", "The chess of place ab.", "The tea of place cd."]
    judge.prepare(["tea"], texts)
    for form in (texts, [Marked("Before.", text, "") for text in texts]):
        fits = judge.fits("tea", form)
        assert fits is not None
        assert fits.argmin() == 1
    assert judge.intruder(texts) == 1
