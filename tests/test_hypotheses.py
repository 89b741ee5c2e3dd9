"""Top texts and the names made from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xetrieval.errors import DamagedError
from xetrieval.features import Feature, Score, read_features, write_features
from xetrieval.labels.examples import top_examples
from xetrieval.labels.keyphrases import candidates, keyphrase_labels
from xetrieval.sae import SparseCodes
from xetrieval.text import fold


@pytest.mark.parametrize("block", [7, 1000])
def test_top_examples_are_those_of_a_full_sort(block: int) -> None:
    rng = np.random.default_rng(0)
    features = np.stack([rng.choice(30, 4, replace=False) for _ in range(200)]).astype(np.int32)
    values = np.maximum(rng.normal(0.3, 0.5, (200, 4)), 0).round(1).astype(np.float32)  # ties on purpose
    codes = SparseCodes(features, values)
    top = top_examples(codes, 31, count=5, block=block)
    dense = codes.dense(31)
    for j in range(31):
        order = sorted((row for row in range(200) if dense[row, j] > 0), key=lambda row: (-dense[row, j], row))
        assert top.of(j).tolist() == order[:5]
        assert top.frequency[j] == len(order)
    assert top.of(30).tolist() == []


TEXTS = [
    *[f"Kidney disease in patient {i}: the kidneys fail and dialysis is needed." for i in range(6)],
    *[f"Patient {i} reads about football matches and league tables." for i in range(6)],
    *[f"The weather in city {i} is mild and the patient waits." for i in range(6)],
]


def test_a_label_is_what_the_top_texts_share_and_others_do_not() -> None:
    labels = keyphrase_labels(TEXTS.__getitem__, [[0, 1, 2, 3], [6, 7, 8, 9], []], range(len(TEXTS)))
    assert labels[0] is not None
    assert "kidney" in labels[0].lower()
    assert "patient" not in labels[0].lower().split(), "it is everywhere"
    assert labels[1] is not None
    assert "football" in labels[1]
    assert labels[2] is None
    assert all(1 <= len(label.split()) <= 8 for label in labels if label)


def test_texts_with_nothing_in_common_get_no_label() -> None:
    texts = ["alpha beta", "gamma delta", "epsilon zeta", "eta theta"]
    assert keyphrase_labels(texts.__getitem__, [[0, 1, 2, 3]], range(4)) == [None]


def test_one_repetitive_text_does_not_name_a_feature() -> None:
    texts = [
        "spam " * 50,
        "green tea in china",
        "green tea from japan",
        "green tea leaves",
        "other words here",
    ]
    (label,) = keyphrase_labels(texts.__getitem__, [[0, 1, 2, 3]], range(5))
    assert label == "green tea"


def test_phrases_neither_start_nor_end_with_a_stop_word() -> None:
    assert set(candidates("The end of the world, of course")) == {"end", "world", "end of the"} - {"end of the"} | {
        "course"
    }
    assert fold("Kidneys") == fold("kidney")
    assert fold("studies") == "study"
    assert fold("basis") == "basis"


def test_the_table_comes_back_as_it_was(tmp_path: Path) -> None:
    score = Score("detection", "hard", "encoder:other", 0.9, 0.7, 0.97, 0.5, 20, 0)
    features = [
        Feature(
            0, "naïve Bayes", "llm:model", 0.25, ("d1", "d2#3"), "label/1/abc", (score,), 3, ("dense", "duplicate:1")
        ),
        Feature(1, None, None, 0.0),
    ]
    write_features(tmp_path / "features.jsonl", features, "digest")
    assert read_features(tmp_path / "features.jsonl", 2, "digest") == tuple(features)


def test_labels_of_one_autoencoder_never_attach_to_another(tmp_path: Path) -> None:
    write_features(tmp_path / "features.jsonl", [Feature(0, "tea", "worksheet", 0.1)], "digest")
    with pytest.raises(DamagedError, match="label transfer"):
        read_features(tmp_path / "features.jsonl", 1, "another")


def test_a_table_from_before_digests_is_read(tmp_path: Path) -> None:
    (tmp_path / "features.jsonl").write_text('{"id": 0, "label": "tea", "source": "keyphrase", "frequency": 0.1}\n')
    assert read_features(tmp_path / "features.jsonl", 1, "digest") == (Feature(0, "tea", "keyphrase", 0.1),)


@pytest.mark.parametrize("line", ['{"id": 5}', '{"id": 0, "label": 3}', '{"id": 0, "scores": [{}]}', "[]", "{"])
def test_a_table_that_is_not_one_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "features.jsonl").write_text(line + "\n")
    with pytest.raises(DamagedError, match=r"features\.jsonl(, line 1)?: "):
        read_features(tmp_path / "features.jsonl", 1, "digest")
