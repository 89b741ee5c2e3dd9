"""Which texts a feature is named from and judged on."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from label_data import CONFIG, SUBJECTS, blocks, passages, subject_examples, subject_sae

from xetrieval.data.passages import passages_of
from xetrieval.data.sources import stream_documents
from xetrieval.encoders import HashingEncoder
from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.labels.examples import (
    Block,
    ExamplesConfig,
    gather,
    load_examples,
    passage_blocks,
    save_examples,
    side_of,
)
from xetrieval.labels.examples.best import Best, priority
from xetrieval.labels.examples.select import folded


def test_active_texts_are_of_the_subject_and_silent_ones_are_not() -> None:
    sae, rows = subject_sae(), {p.id: v for p, v in passages()}
    for feature in subject_examples():
        for side in (feature.labelling, feature.judging):
            assert len(side.top) == 10
            assert 1 <= len(side.spread) <= 5
            assert len(side.random) == len(side.hard) == 6
            for example in side.active:
                codes = sae.encode(rows[example.id][None])
                value = codes.values[0][codes.features[0] == feature.feature_id]
                assert example.activation == pytest.approx(float(value[0]), abs=1e-4)
            for example in (*side.random, *side.hard):
                codes = sae.encode(rows[example.id][None])
                assert feature.feature_id not in codes.support(0)
                assert example.activation == 0


def test_the_strongest_come_first_and_the_spread_covers_the_range() -> None:
    for feature in subject_examples():
        for side in (feature.labelling, feature.judging):
            strengths = [e.activation for e in side.top]
            assert strengths == sorted(strengths, reverse=True)
            assert max(e.activation for e in side.spread) <= max(strengths)
            assert min(e.activation for e in side.spread) < min(strengths), "the weak end of the range is shown too"


def test_no_document_stands_on_both_sides_or_twice_in_a_list() -> None:
    for feature in subject_examples():
        shown = {e.document for part in feature.labelling for e in part}
        judged = {e.document for part in feature.judging for e in part}
        assert not shown & judged
        for side in (feature.labelling, feature.judging):
            documents = [e.document for part in side for e in part]
            assert len(documents) == len(set(documents))


def test_hard_silent_texts_are_nearer_than_random_ones() -> None:
    sae, rows = subject_sae(), {p.id: v for p, v in passages()}
    codes = sae.encode(np.stack(list(rows.values()))).dense(len(SUBJECTS))
    centres = codes.T @ np.stack(list(rows.values()))
    for feature in subject_examples():
        near = {
            e.id: float(rows[e.id] @ centres[feature.feature_id])
            for e in (*feature.judging.hard, *feature.judging.random)
        }
        hard = [near[e.id] for e in feature.judging.hard]
        assert min(hard) > np.mean([near[e.id] for e in feature.judging.random])
        assert all("#" in e.id for e in feature.judging.hard), "sentences are compared with sentences"


def test_a_document_shows_the_sentence_that_carries_it_and_a_foil_does_not() -> None:
    seen = 0
    for feature in subject_examples():
        subject = SUBJECTS[feature.feature_id]
        for example in feature.judging.active:
            if "#" not in example.id and example.activation > 0.4:
                seen += 1
                assert example.sentence is not None
                assert example.text.startswith(f"The {subject}")
            if example.foil is not None:
                assert example.foil != example.text
    assert seen > 5


def test_examples_do_not_depend_on_how_the_corpus_is_cut() -> None:
    whole, cut = gather(subject_sae(), blocks(720), CONFIG), gather(subject_sae(), blocks(3), CONFIG)
    assert whole == cut
    other = gather(subject_sae(), blocks(720), ExamplesConfig(top=10, spread=5, contrast=6, seed=1))
    assert other.features != whole.features


def test_repeated_texts_are_shown_once() -> None:
    rows = passages(80)
    double = [(p._replace(id=f"x{p.id}", document=f"x{p.document}"), v) for p, v in rows]

    def stream() -> list[Block]:
        both = rows + double
        return [Block([p for p, _ in both], np.stack([v for _, v in both]))]

    for feature in gather(subject_sae(), stream, CONFIG).features:
        for side in (feature.labelling, feature.judging):
            texts = [folded(e.text) for e in side.active]
            assert len(texts) == len(set(texts))


def test_no_more_than_a_block_or_two_of_the_corpus_is_in_memory() -> None:
    alive: list[int] = []
    living: set[int] = set()

    def stream() -> Iterator[Block]:
        rows = passages(240)
        for start in range(0, len(rows), 30):
            part = rows[start : start + 30]
            vectors = np.stack([v for _, v in part])
            living.add(start)
            weakref.finalize(vectors, living.discard, start)
            alive.append(len(living))
            yield Block([p for p, _ in part], vectors)
            del vectors

    gather(subject_sae(), stream, CONFIG)
    assert len(alive) == 3 * 24
    assert max(alive) <= 3


def test_a_corpus_that_changes_between_passes_is_refused() -> None:
    rows, opened = passages(80), []

    def stream() -> list[Block]:
        opened.append(1)
        part = rows if len(opened) < 3 else rows[3:] + rows[:3]
        return [Block([p for p, _ in part], np.stack([v for _, v in part]))]

    with pytest.raises(InputError, match="changed while it was being read"):
        gather(subject_sae(), stream, CONFIG)
    with pytest.raises(InputError, match="no passages"):
        gather(subject_sae(), list, CONFIG)


def test_coactivity_is_jaccards_index() -> None:
    sae = subject_sae()
    active = [set(sae.encode(v[None]).support(0).tolist()) for _, v in passages()]
    for feature in subject_examples():
        for other, index in feature.coactive:
            both = sum({feature.feature_id, other} <= a for a in active)
            either = sum(bool({feature.feature_id, other} & a) for a in active)
            assert index == pytest.approx(both / either, abs=1e-4)


def test_the_best_are_those_of_a_full_sort_and_priority_is_uniform() -> None:
    rng = np.random.default_rng(0)
    feature, key = rng.integers(5, size=400), rng.random(400)
    best = Best(5, 7)
    for start in range(0, 400, 33):
        part = slice(start, start + 33)
        best.add(feature[part], np.arange(400)[part], key[part], key[part].astype(np.float32))
    for j in range(5):
        assert best.of(j).tolist() == sorted(np.flatnonzero(feature == j), key=lambda r: -key[r])[:7]
    draws = priority(3, np.arange(20000))
    assert abs(draws.mean() - 0.5) < 0.01
    assert np.array_equal(draws[100:200], priority(3, np.arange(100, 200))), "whatever comes before"
    assert not np.array_equal(draws, priority(4, np.arange(20000)))
    assert 0.45 < np.mean([side_of(f"d{n}", 0) for n in range(2000)]) < 0.55


def test_a_folder_of_examples_comes_back_as_it_was(tmp_path: Path) -> None:
    features = subject_examples()
    save_examples(tmp_path / "examples", "digest", features, {"passages": 720})
    folder = load_examples(tmp_path / "examples")
    assert folder.facts["passages"] == 720
    assert [f.feature_id for f in folder.features] == list(range(8))
    for got, given in zip(folder.features, features, strict=True):
        assert [e.text for e in got.judging.active] == [e.text for e in given.judging.active]
        assert got.labelling.hard == given.labelling.hard
        assert got.coactive == given.coactive
    folder.check("digest", "examples")
    with pytest.raises(MismatchError, match="a different autoencoder"):
        folder.check("other", "examples")


def test_damaged_examples_are_refused_in_words(tmp_path: Path) -> None:
    save_examples(tmp_path / "examples", "digest", subject_examples(), {})
    path = tmp_path / "examples" / "examples.jsonl"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DamagedError, match="differs from what"):
        load_examples(tmp_path / "examples")
    with pytest.raises(InputError, match="does not contain examples"):
        load_examples(tmp_path / "nowhere")


def test_documents_are_streamed_and_shared_ones_taken_once(tmp_path: Path) -> None:
    text = "Tea is grown on hills in Assam. Kidneys clean the blood of the body. It rains a lot in autumn there."
    lines = [{"_id": "a", "text": text}, {"_id": "b", "text": "Bridges cross rivers in old towns."}]
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    documents = list(stream_documents([tmp_path / "one.jsonl", tmp_path / "two.jsonl"]))
    assert [d.id for d in documents] == ["a", "b"]
    parts = passages_of(documents[0], 9)
    assert parts[0].whole
    assert {p.text for p in parts[1:]} <= {s.strip() + "." for s in text.split(".") if s.strip()}
    blocks = list(passage_blocks(lambda: documents, HashingEncoder(64), 9, size=2))
    assert [p.id for b in blocks for p in b.passages][:1] == ["a"]
    assert sum(len(b.vectors) for b in blocks) == sum(len(b.passages) for b in blocks)
    (tmp_path / "two.jsonl").write_text(json.dumps({"_id": "a", "text": "other"}) + "\n")
    with pytest.raises(InputError, match=r"one text in .* and another in"):
        list(stream_documents([tmp_path / "one.jsonl", tmp_path / "two.jsonl"]))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="top 0 is out of range; give a whole number, at least 1"):
        ExamplesConfig(top=0)
