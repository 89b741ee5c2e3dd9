"""Numbers, texts and factors as Python users give them: taken rightly, or refused in words."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases_data import accepted
from conftest import random_explainer, random_sae, unit
from index_data import write_corpus
from test_cli import refused, run

from xetrieval import load, open_encoder
from xetrieval.configs import BuildConfig
from xetrieval.encoders.hashing import HashingEncoder
from xetrieval.encoders.vector_files import read_vectors
from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.explain import Contrast, Explainer
from xetrieval.features import Feature
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.steer import SteeringProfile, steered_vectors


class Frame:
    """A table of two columns, as pandas has it: it yields the names of its columns."""

    columns = ("question", "answer")

    def __iter__(self) -> object:
        return iter(self.columns)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "c.jsonl").write_text("".join(f'{{"_id": "d{n}", "text": "word{n} tea kettle"}}\n' for n in range(20)))
    build_index(Corpus((folder / "c.jsonl",)), random_explainer(), folder / "index")
    return open_index(folder / "index")


@pytest.mark.parametrize(
    "factors",
    [{2: math.nan}, {2: math.inf}, {2: -1.0}, {2: 1e308}, {2: "3"}, {2: None}, {2: True},
     {2.5: 2.0}, {"2": 2.0}, {True: 2.0}, [2.0]],
)  # fmt: skip
def test_factors_that_are_none_are_refused_before_a_score_is_made_of_them(factors: object) -> None:
    sae, z = random_sae(), unit(3)
    with pytest.raises(InputError, match="factor"):
        SteeringProfile(factors, sae.digest)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="factor"):
        steered_vectors(sae, z, sae.encode(z), factors)  # type: ignore[arg-type]


def test_numbers_of_numpy_are_factors_too() -> None:
    profile = SteeringProfile({np.int64(2): np.float32(1.5)}, "sae")  # type: ignore[dict-item]
    assert dict(profile.factors) == {2: 1.5}
    assert profile.to_dict()["factors"] == {"2": 1.5}


@pytest.mark.parametrize("steer", [{2: 2.0}, "profile.json", 3])
def test_only_a_profile_steers(index: Index, steer: object) -> None:
    with pytest.raises(InputError, match="SteeringProfile"):
        index.search("tea", steer=steer)  # type: ignore[arg-type]


def test_the_columns_of_a_table_are_not_its_texts(explainer: Explainer) -> None:
    with pytest.raises(InputError, match="one column"):
        explainer.explain_pairs(Frame(), ["kettle", "leaf"])  # type: ignore[arg-type]


def test_half_a_character_is_refused_in_words(explainer: Explainer, index: Index) -> None:
    with pytest.raises(InputError, match="query 2 contains half a character"):
        explainer.explain_pairs(["tea", "\ud800"], ["kettle", "leaf"])
    with pytest.raises(InputError, match="the document contains half a character"):
        explainer.explain("tea", "a\udfffb")
    with pytest.raises(InputError, match="half a character"):
        index.search("\ud83d tea")


def test_views_and_codes_take_vectors_alone(explainer: Explainer) -> None:
    z = unit(3)
    for bad in (z * np.nan, z * 0, z[:, :5], "text"):
        with pytest.raises(InputError):
            explainer.reasoned(bad)  # type: ignore[arg-type]
        with pytest.raises(InputError):
            explainer.codes(bad)  # type: ignore[arg-type]
    assert np.array_equal(explainer.codes(z.tolist())[0].features, explainer.codes(z)[0].features)


def test_evidence_is_of_an_explanation(explainer: Explainer) -> None:
    with pytest.raises(InputError, match="evidence needs an Explanation"):
        explainer.with_evidence("why")  # type: ignore[call-overload]


def test_a_cache_may_be_named_by_a_text(tmp_path: Path) -> None:
    random_explainer().save(tmp_path / "explainer")
    explainer = load(str(tmp_path / "explainer"), cache=str(tmp_path / "cache"))
    assert explainer.explain("tea", "kettle tea").score > 0
    assert list((tmp_path / "cache").glob("*.sqlite"))


def test_a_matrix_file_that_is_longer_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.npy"
    with path.open("wb") as file:  # as a loop over batches leaves it
        np.save(file, unit(4))
        np.save(file, unit(4, seed=1))
    with pytest.raises(DamagedError, match="longer than its header says"):
        read_vectors(path)


def test_a_folder_of_vectors_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "v.npy").mkdir()
    with pytest.raises(InputError, match="not a file"):
        read_vectors(tmp_path / "v.npy")


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_a_figure_of_an_unknown_kind_is_refused_before_the_training(tmp_path: Path, command: str) -> None:
    np.save(tmp_path / "v.npy", unit(64))
    out = tmp_path / "out"
    done = run("sae", command, tmp_path / "v.npy", "--output", out, "-F", 128, "--plot", tmp_path / "curves.exe")
    refused(done, "choose another name")
    assert not out.exists()


def test_an_index_notices_another_model_behind_the_name_of_its_encoder(tmp_path: Path) -> None:
    right, seed = HashingEncoder(64), unit(64)
    turned, _ = np.linalg.qr(seed)

    def opened(function: object) -> Explainer:
        encoder = open_encoder(function, name="mine", version="1")  # type: ignore[arg-type]
        return replace(random_explainer(), encoder_identity=encoder.identity).with_encoder(encoder)

    (tmp_path / "c.jsonl").write_text("".join(f'{{"_id": "d{n}", "text": "word{n} tea"}}\n' for n in range(9)))
    build_index(Corpus((tmp_path / "c.jsonl",)), opened(right.encode_document), tmp_path / "index")
    same = open_index(tmp_path / "index", opened(right.encode_document))
    assert len(same.search("tea")) == 9
    other = open_index(tmp_path / "index", opened(lambda texts: right.encode_document(texts) @ turned))
    with pytest.raises(MismatchError, match="gives different vectors from those in this index"):
        other.search("tea")
    assert len(other.search(unit(1)[0])) == 9  # a vector needs no encoder

    (tmp_path / "new.jsonl").write_text('{"_id": "new", "text": "coffee"}\n')
    new, adding = Corpus((tmp_path / "new.jsonl",)), BuildConfig(adding=True)
    with pytest.raises(MismatchError, match="gives different vectors from those in this index"):
        build_index(new, other.explainer, tmp_path / "index", adding)
    assert len(open_index(tmp_path / "index")) == 9
    assert build_index(new, same.explainer, tmp_path / "index", adding).documents == 10


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_figures_of_an_autoencoder_hold_whatever_the_mean_and_the_scale_of_its_vectors(
    offset: float, scale: float
) -> None:
    from xetrieval.sae.measure import evaluate_sae

    sae = random_sae(features=32, dimension=24, k=4)
    x = ((np.random.default_rng(0).standard_normal((500, 24)) + offset) * scale).astype(np.float32)
    found = evaluate_sae(sae, x)
    wide, back = x.astype(np.float64), sae.decode(sae.encode(x)).astype(np.float64)
    error, spread = ((wide - back) ** 2).sum(), ((wide - wide.mean(axis=0)) ** 2).sum()
    cosines = (wide * back).sum(axis=1) / np.linalg.norm(wide, axis=1) / np.linalg.norm(back, axis=1)
    assert found.fvu == pytest.approx(error / spread, rel=1e-6)
    assert found.cosine == pytest.approx(cosines.mean(), abs=1e-9)


@pytest.mark.slow
def test_small_rows_that_differ_are_not_called_equal() -> None:
    from xetrieval.sae.train import SaeConfig, train_sae

    x = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)
    small = train_sae(x * np.float32(1e-8), SaeConfig(features=16, l0=4, epochs=2, batch_size=64))
    large = train_sae(x, SaeConfig(features=16, l0=4, epochs=2, batch_size=64))
    assert np.abs(small.directions - large.directions).max() < 1e-3


@pytest.mark.parametrize(
    "factors", ['{"8": 0, "08": 2}', '{"+8": 2}', '{"8.0": 2}', '{"\\uff18": 2}', '{"8": 1, "8": 2}']
)
def test_a_feature_has_one_spelling_and_one_factor_in_a_profile(tmp_path: Path, factors: str) -> None:
    sae = random_sae()
    (tmp_path / "p.json").write_text(f'{{"factors": {factors}, "sae_digest": "{sae.digest}"}}')
    with pytest.raises(InputError):
        SteeringProfile.load(tmp_path / "p.json", sae)


@pytest.mark.parametrize("given", [["3=0", "3=2"], ["3=0", "03=2"], ["3=1_0"], ["3=１"], ["3=nan"], ["3="], ["3=0x1"]])
def test_a_feature_is_set_once_and_in_plain_numbers(given: list[str]) -> None:
    sae = random_sae()
    features = [Feature(number, None, None, 0.0) for number in range(sae.features)]
    with pytest.raises(InputError):
        SteeringProfile({}, sae.digest).with_factors(given, features)
    factors = SteeringProfile({3: 0.5}, sae.digest).with_factors(["3=1.5e0", "4=.5"], features).factors
    assert factors == {3: 1.5, 4: 0.5}


@pytest.mark.slow
def test_an_index_of_one_dimension_is_asked_all_that_another_is(tmp_path: Path) -> None:
    ids = [f"d{n}" for n in range(100)]
    write_corpus(tmp_path / "c.jsonl", [{"_id": one, "text": f"text of {one}"} for one in ids])
    np.save(tmp_path / "v.npy", np.array([[1.0], [-1.0]] * 50))
    (tmp_path / "v.npy.ids.txt").write_text("\n".join(ids) + "\n")
    np.save(tmp_path / "q.npy", np.ones((1, 1)))
    corpus, vectors, query = (str(tmp_path / name) for name in ("c.jsonl", "v.npy", "q.npy"))
    explainer, built = str(tmp_path / "ex"), str(tmp_path / "ix")
    fit = ["-F", "4", "--l0", "2", "--inference-l0", "2"]
    run("fit", corpus, "--encoder", f"vectors:{vectors}", "--output", explainer, *fit)
    run("index", "build", corpus, "--vectors", vectors, "-x", explainer, "--output", built, "--force")
    found = json.loads(accepted(run("search", built, "--query-vector", query, "--format", "json")).stdout)
    assert all(hit["score"] == pytest.approx(1) for hit in found["hits"])
    for command in (
        ["why", built, "d2", "--query-vector", query, "--over", "d0"],
        ["index", "report", built],
        ["index", "delete", built, "d1"],
        ["index", "compact", built],
        ["index", "accelerate", built, "quantised"],
        ["index", "verify", built],
    ):
        accepted(run(*command))


@pytest.mark.parametrize("count", [1.5, "2", True, -1, math.nan])
def test_a_number_of_terms_is_a_whole_number(explainer: Explainer, count: object) -> None:
    for result in (explainer.explain("salt", "salt water"), explainer.contrast("salt", "salt water", "tax law")):
        with pytest.raises(InputError, match="whole number"):
            result.top(count)  # type: ignore[arg-type]
        assert result.top(np.int64(1)) == result.top(1)


@pytest.mark.parametrize("position", [99, -1, 0.5, 0.0, True, "a", None, [0]])
def test_only_terms_that_are_there_can_be_kept(explainer: Explainer, position: object) -> None:
    with pytest.raises(InputError, match="there is no term at position"):
        explainer.explain("salt", "salt water").only([position])  # type: ignore[list-item]


@pytest.mark.parametrize("positions", [None, 3, "01", b"01", 0.5])
def test_terms_are_kept_by_a_list_of_positions(explainer: Explainer, positions: object) -> None:
    with pytest.raises(InputError, match="give a list of whole numbers"):
        explainer.explain("salt", "salt water").only(positions)  # type: ignore[arg-type]


def test_a_share_that_says_little_alone_is_noted(explainer: Explainer) -> None:
    made = explainer.explain("salt", "salt water")
    up, down = replace(made.terms[0], share=1.0), replace(made.terms[0], share=-0.6)
    loud = replace(made, bias=0.0, remainder=0.0, score=0.4, terms=(up, down))
    note = "a single share is 2.5 times the score: shares of the other sign (-0.6000) cancel most of it; read them"
    assert any(line.startswith(note) for line in loud.notes)
    assert any(line.startswith(note) for line in Contrast(loud, loud).notes)
    biased = replace(made, bias=-0.7, remainder=0.1, score=0.4, terms=(up,))
    assert any("2.5 times the score: the bias (-0.7000) cancels most of it" in line for line in biased.notes)
    less = replace(loud, score=0.1, terms=(up, replace(down, share=-0.9)))
    for quiet in (less, replace(loud, mode="hybrid"), made):
        assert not any("a single share" in line for line in quiet.notes)
