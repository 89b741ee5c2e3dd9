"""`xetrieval label` over an index: labels from its own documents, and a person's, which stay."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer
from index_data import _counted, _lives
from test_cli_label import WORDS, history, refused, replay, run

from xetrieval.configs import LlmLabelConfig
from xetrieval.encoders import HashingEncoder
from xetrieval.explain import Explainer
from xetrieval.features import Feature
from xetrieval.index import BuildConfig, Corpus, build_index, open_index
from xetrieval.index.ask.examples import uses_in
from xetrieval.index.build import labelled
from xetrieval.index.build.verify import verify_index
from xetrieval.index.store.layout import WORDS as WORDS_FOLDER
from xetrieval.index.store.manifest import explainer_of
from xetrieval.labels.labellers import UsesLabeller
from xetrieval.labels.relabel import NewLabel, relabel
from xetrieval.labels.use_lines import FeatureUses
from xetrieval.llm import CachedChat, ReplayChat, Request
from xetrieval.sae import SparseAutoencoder

NAMED = {"answer": "They share one word.\nLABEL: places of the word"}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    build_index(Corpus((corpus(tmp_path / "corpus.jsonl"),)), word_explainer(), tmp_path / "index")
    return tmp_path / "index"


def corpus(path: Path, documents: int = 160) -> Path:
    """Documents about one word each."""
    lines = []
    for number in range(documents):
        word, other = WORDS[number % 10], WORDS[(number * 7 + 3) % 10]
        place = "".join(chr(97 + (number * k) % 26) for k in (1, 3, 5, 7))
        lines.append(json.dumps({"_id": f"d{number}", "text": f"{word} {word} {word} of {place} {other}"}))
    path.write_text("\n".join(lines) + "\n")
    return path


def word_explainer() -> Explainer:
    """Feature j is active on word j of the corpus."""
    directions = HashingEncoder(64).encode_document(WORDS)
    nothing = np.zeros(len(WORDS), np.float32), np.zeros(64, np.float32)
    sae = SparseAutoencoder(directions, nothing[0], np.ascontiguousarray(directions.T), nothing[1], k=2)
    features = tuple(Feature(j, None, None, 0.1) for j in range(len(WORDS)))
    return replace(random_explainer(cache=True), sae=sae, features=features)


def labels(index: Path) -> dict[int, Feature]:
    return {one.feature_id: one for one in open_index(index).explainer.features if one.label}


class Judge:
    """Says which texts a label fits."""

    name = "judge"

    def __init__(self, fits: Callable[[str, str], float]) -> None:
        self._fits = fits
        self.tried: list[tuple[str, tuple[str, ...]]] = []

    def prepare(self, *_: object) -> None:
        pass

    def fits(self, label: str, texts: list[str]) -> np.ndarray:
        self.tried.append((label, tuple(texts)))
        return np.array([self._fits(label, text) for text in texts])

    def intruder(self, *_: object) -> int | None:
        return None


USES = FeatureUses(
    3, ("green tea => black tea", "tea pots => tea"), ("a goal => a match",), ("mint tea => tea",), ("ball => game",)
)


def made(script: Callable[[Request], str], judge: Judge, retries: int = 2) -> tuple[str | None, str | None, list[str]]:
    chat = ReplayChat(script, f"replay{retries}")
    labeller = UsesLabeller(CachedChat(chat), judge, LlmLabelConfig(1, retries=retries, concurrency=1))  # type: ignore[arg-type]
    (proposal,) = labeller.label([USES])
    return proposal.label, proposal.fault, [request.messages[-1].content for request in chat.requests]


def test_a_model_reads_uses_beside_uses_of_siblings_and_a_label_is_tried_on_unseen_ones() -> None:
    judge = Judge(lambda label, text: float("tea" in text))
    label, fault, asked = made(lambda _: "LABEL: kinds of tea", judge)
    assert (label, fault) == ("kinds of tea", None)
    (prompt,) = asked
    assert prompt.index("green tea => black tea") < prompt.index("a goal => a match")
    assert "mint tea" not in prompt
    ((_, texts),) = judge.tried
    assert set(texts) == {"mint tea => tea", "ball => game"}


def test_a_label_that_does_not_fit_unseen_uses_is_made_again_and_then_left_out() -> None:
    answers: Iterator[str] = iter(["LABEL: football results", "LABEL: kinds of tea"])
    judge = Judge(lambda label, text: float("tea" in text) if "tea" in label else 0.5)
    label, _, asked = made(lambda _: next(answers), judge)
    assert label == "kinds of tea"
    assert "the name 'football results' did not fit" in asked[1]
    label, fault, asked = made(lambda _: "LABEL: football results", judge, retries=1)
    assert label is None
    assert "did not fit" in (fault or "")
    assert len(asked) == 2


@pytest.mark.slow
def test_uses_of_a_feature_are_dealt_to_the_prompt_and_the_trial_without_a_common_text(index: Path) -> None:
    found = uses_in(open_index(index))
    assert len(found) >= 8
    for one in found:
        assert one.shown
        texts = [{text for line in lines for text in line.split(" => ")} for lines in (one.shown, one.unseen)]
        assert not texts[0] & texts[1]
        assert not set(one.shown) & set(one.others)
        assert one.unseen
        assert one.unseen_others


@pytest.mark.slow
def test_a_language_model_labels_an_index_in_one_command(index: Path, tmp_path: Path) -> None:
    opened = open_index(index)
    judged = {"contains": "Name: ", "answer": '{"fits": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}'}
    model = replay(tmp_path / "llm.jsonl", judged, NAMED)
    said = run("label", "llm", index, "--llm", model, "--candidates", 1)
    assert "did not fit other pairs" in said, "a judge who finds all texts fitting proves nothing"
    model = replay(tmp_path / "good.jsonl", NAMED)
    args = ["label", "llm", index, "--llm", model, "--candidates", 1, "--judge", "hashing:32"]
    assert " 9 requests to send" in run(*args, "--dry-run")
    assert "18 requests to send" in run(*args[:-2], "--dry-run"), "the trials as well, if the model judges"
    assert not labels(index)
    assert "stopped: the budget of 3 requests" in run(*args, "--budget-requests", 3, "--concurrency", 1, code=3)
    first = labels(index)
    said = run(*args)
    assert "3 answers from the cache" in said
    named = labels(index)
    assert set(first) <= set(named)
    one = next(iter(named.values()))
    assert one.label == "places of the word"
    assert (one.source or "").startswith("llm:replay")
    assert (one.prompt or "").startswith("label_uses/1/")
    assert one.near_from is not None
    assert not opened.is_current()
    assert opened.manifest.explainer.digest == open_index(index).manifest.explainer.digest
    assert not verify_index(index).unknown


@pytest.mark.slow
def test_a_persons_label_stays_with_its_author(index: Path, tmp_path: Path) -> None:
    run("label", "export", index, "--output", "sheet.csv", "--ids", "0-4")
    with (tmp_path / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["active"]
    rows[0]["label"] = "tea and its places"
    with (tmp_path / "sheet.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert "1 labels written" in run("label", "import", index, "sheet.csv", "--author", "Ada L.")
    mine = int(rows[0]["feature"])
    assert (labels(index)[mine].label, labels(index)[mine].source) == ("tea and its places", "worksheet:Ada L.")
    assert "1 manual labels kept" in run("label", "keyphrase", index, "--ids", mine)
    assert labels(index)[mine].label == "tea and its places"
    build_index(Corpus((corpus(tmp_path / "more.jsonl", 170),)), _own(index), index, BuildConfig(adding=True))
    assert labels(index)[mine].label == "tea and its places"
    assert "1 labels written" in run("label", "keyphrase", index, "--ids", mine, "--force")
    assert labels(index)[mine].source == "keyphrase"
    assert [event["adopted"] for event in history(explainer_of(index))] == [True, False, True]
    assert not verify_index(index).unknown


def _own(index: Path) -> Explainer:
    return open_index(index).explainer


@pytest.mark.slow
def test_labels_of_an_index_are_scored_and_grouped(index: Path, tmp_path: Path) -> None:
    run("label", "keyphrase", index)
    yes = replay(tmp_path / "judge.jsonl", {"answer": '{"fits": [1, 2, 3]}'})
    assert "shuffled" in run("label", "score", index, "--llm", yes, "--scores", "detection", "--sample", 6)
    assert 4 <= sum(bool(one.scores) for one in labels(index).values()) <= 6
    assert "families" in run("label", "families", index, "--upper", 2, "--lower", 4)
    families = json.loads(run("features", index, "--format", "json"))
    assert sum(one["features"] for one in families if one["parent"] is None) == 10
    assert not verify_index(index).unknown


@pytest.mark.slow
def test_an_index_is_whole_whenever_a_change_of_its_labels_is_killed(index: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        relabel(labelled.IndexTarget(folder), [NewLabel(0, "green tea", "worksheet")])

    change(index)
    events = _counted(change, lambda: shutil.copytree(index, tmp_path / "count"), tmp_path / "count")
    assert events > 10
    for at in range(1, events + 1, 7):
        folder = tmp_path / f"killed{at}"
        shutil.copytree(index, folder)
        assert not _lives(partial(_turn, folder), at)
        label = labels(folder)[0].label
        assert label in ("green tea", "black tea"), "the old one or the new one"
        open_index(folder).search("tea")
        _turn(folder)
        assert labels(folder)[0].label == "black tea"
        assert not verify_index(folder).unknown
        shutil.rmtree(folder)


def _turn(folder: Path) -> None:
    relabel(labelled.IndexTarget(folder), [NewLabel(0, "black tea", "worksheet")])


@pytest.mark.slow
def test_words_of_an_index_are_not_counted_again_after_a_change_of_labels(index: Path) -> None:
    open_index(index).search("tea", by="bm25")
    before = sorted(path.name for path in index.iterdir() if path.name.startswith(WORDS_FOLDER))
    assert before
    _turn(index)
    opened = open_index(index)
    opened.search("tea", by="bm25")
    assert sorted(path.name for path in index.iterdir() if path.name.startswith(WORDS_FOLDER)) == before
    assert [path.name for path in index.iterdir() if path.name.startswith("explainer")] == [
        opened.manifest.explainer_folder
    ]
    _turn(index)
    assert not verify_index(index).unknown


@pytest.mark.slow
def test_what_cannot_be_labelled_is_refused(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    random_explainer().save(tmp_path / "toy")
    for args, words in (
        (["label", "keyphrase", "toy"], "give --examples"),
        (["label", "keyphrase", index, "--output", "copy"], "omit --output"),
        (["label", "llm", index], "give --llm"),
        (["label", "import", index, "none.csv", "--author", ""], "give a name of 1 to 80 characters"),
    ):
        assert words in refused(capsys, monkeypatch, *args)
