"""Different things never share a digest, and saving and loading keeps it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, random_internalizer, random_sae
from hypothesis import given, settings
from hypothesis import strategies as st

from xetrieval.encoders import CachedEncoder, EncoderIdentity, FunctionEncoder, HashingEncoder
from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.explain import load
from xetrieval.explain.explainer import Explainer
from xetrieval.files.manifest import sealed
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.sae import SparseAutoencoder

SAE_ARRAYS = ("encoder_weight", "encoder_bias", "decoder_weight", "decoder_bias", "thresholds")
NET_ARRAYS = ("w1", "b1", "w2", "b2")


def with_thresholds(sae: SparseAutoencoder) -> SparseAutoencoder:
    bounds = np.linspace(0.05, 0.2, sae.features, dtype=np.float32)
    return replace(sae, k=None, thresholds=bounds)


def nudged(array: np.ndarray, place: int, weights: bool) -> np.ndarray:
    """The same array with one number one step of its stored precision higher."""
    changed = array.copy()
    flat = changed.reshape(-1)
    kind = np.float16 if weights else np.float32
    flat[place % flat.size] = np.nextafter(kind(flat[place % flat.size]), kind(np.inf), dtype=kind)
    return changed


@settings(deadline=None, max_examples=60)
@given(name=st.sampled_from(SAE_ARRAYS), place=st.integers(0, 10**6), sign=st.booleans())
def test_any_number_of_an_autoencoder_that_is_changed_changes_its_digest(name: str, place: int, sign: bool) -> None:
    sae = with_thresholds(random_sae(16, 8, k=4))
    if sign:
        sae = replace(sae, **{name: getattr(sae, name)[::-1].copy()})
    other = replace(sae, **{name: nudged(getattr(sae, name), place, name.endswith("weight"))})
    assert other.digest != sae.digest


@settings(deadline=None, max_examples=60)
@given(name=st.sampled_from(NET_ARRAYS), place=st.integers(0, 10**6))
def test_any_number_of_an_internalizer_that_is_changed_changes_the_explainer(name: str, place: int) -> None:
    explainer = random_explainer(8)
    net = explainer.internalizers["qa"]
    changed = replace(net, **{name: nudged(getattr(net, name), place, name.startswith("w"))})
    assert replace(explainer, internalizers={**explainer.internalizers, "qa": changed}).digest != explainer.digest


FIELDS = {
    "dimension": st.integers(2, 9),
    "weights_sha256": st.sampled_from([None, "a" * 64, "b" * 64]),
    "query_prompt": st.text(max_size=3),
    "document_prompt": st.text(max_size=3),
    "max_tokens": st.sampled_from([None, 1, 2]),
    "pooling": st.sampled_from(["mean", "cls"]),
    "reading_sha256": st.sampled_from([None, "c" * 64, "d" * 64]),
    "version": st.text(max_size=2),
}
IDENTITIES = st.builds(EncoderIdentity, name=st.sampled_from(["x", "y"]), **FIELDS)  # type: ignore[arg-type]


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(first=IDENTITIES, second=IDENTITIES)
def test_two_encoders_share_a_digest_only_if_nothing_but_the_name_of_known_weights_differs(
    first: EncoderIdentity, second: EncoderIdentity
) -> None:
    same = first == (second if first.weights_sha256 is None else replace(second, name=first.name))
    assert (first.digest == second.digest) == same
    assert bool(first.differences(second)) == (not same)


@settings(deadline=None, max_examples=50)
@given(identity=IDENTITIES)
def test_an_identity_comes_back_from_a_file(identity: EncoderIdentity) -> None:
    assert EncoderIdentity.from_dict(identity.to_dict()) == identity


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {"name": "x"},
        {"name": 5, "dimension": 8},
        {"name": "x", "dimension": "8"},
        {"name": "x", "dimension": True},
        {"name": "x", "dimension": 8, "more": 1},
        {"name": "x", "dimension": 8, "query_prompt": None},
        {"name": "x", "dimension": 8, "max_tokens": "256"},
    ],
)
def test_an_identity_that_was_tampered_with_is_refused(tmp_path: Path, record: object) -> None:
    with pytest.raises(InputError, match="encoder"):
        EncoderIdentity.from_dict(record)
    random_explainer(8).save(tmp_path / "x")
    config = json.loads((tmp_path / "x" / "config.json").read_text())
    (tmp_path / "x" / "config.json").write_text(json.dumps(sealed({**config, "encoder": record})))
    with pytest.raises(DamagedError):
        load(tmp_path / "x")


def test_the_parts_of_an_explainer_all_count() -> None:
    explainer = random_explainer(8)
    sae, net = explainer.sae, explainer.internalizers["qa"]
    others = [
        replace(explainer, sae=replace(sae, k=3)),
        replace(explainer, sae=with_thresholds(sae)),
        replace(explainer, internalizers={**explainer.internalizers, "qa": replace(net, form="paper")}),
        replace(explainer, internalizers={"qa": net}),
        replace(explainer, internalizers={**explainer.internalizers, "else": net}),
        replace(explainer, encoder_identity=replace(explainer.encoder_identity, max_tokens=9)),
    ]
    assert len({explainer.digest, *(other.digest for other in others)}) == 1 + len(others)


def test_names_do_not_count() -> None:
    explainer = random_explainer(8)
    assert replace(explainer, name="another", provenance={"a": 1}, metrics={"b": 2}).digest == explainer.digest


def test_shapes_count_even_where_all_bytes_are_equal() -> None:
    def zeros(features: int, dimension: int) -> SparseAutoencoder:
        pair = (np.zeros((features, dimension), np.float32), np.zeros(features, np.float32))
        return SparseAutoencoder(*pair, pair[0].T.copy(), np.zeros(dimension, np.float32), k=1)

    assert zeros(2, 3).digest != zeros(3, 2).digest


def test_what_half_precision_cannot_hold_still_counts() -> None:
    huge = random_sae(16, 8, k=4)
    first, second = huge.encoder_weight.copy(), huge.encoder_weight.copy()
    first[0, 0], second[0, 0] = 1e6, 2e6
    assert replace(huge, encoder_weight=first).digest != replace(huge, encoder_weight=second).digest


@pytest.mark.parametrize("bounds", [False, True])
def test_saving_and_loading_keeps_every_digest(tmp_path: Path, bounds: bool) -> None:
    explainer = random_explainer(8)
    if bounds:
        explainer = replace(explainer, sae=with_thresholds(explainer.sae))
    explainer.save(tmp_path / "x")
    stored = load(tmp_path / "x", cache=False)
    assert (stored.sae.digest, stored.digest) == (explainer.sae.digest, explainer.digest)
    assert stored.internalizers["qa"].digest == explainer.internalizers["qa"].digest


def other_bias(explainer: Explainer, part: str) -> Explainer:
    net = explainer.internalizers["qa"]
    changed = replace(net, **{part: getattr(net, part) + np.float32(0.25)})
    return replace(explainer, internalizers={**explainer.internalizers, "qa": changed})


@pytest.mark.parametrize("part", ["thresholds", "b1", "b2"])
def test_an_index_is_refused_with_another_explainer(tmp_path: Path, part: str) -> None:
    explainer = random_explainer()
    if part == "thresholds":
        explainer = replace(explainer, sae=with_thresholds(explainer.sae))
        bounds = np.asarray(explainer.sae.thresholds) * np.float32(2)
        other = replace(explainer, sae=replace(explainer.sae, thresholds=bounds))
    else:
        other = other_bias(explainer, part)
    (tmp_path / "c.jsonl").write_text('{"_id": "a", "text": "one two"}\n{"_id": "b", "text": "three"}\n')
    build_index(Corpus((tmp_path / "c.jsonl",)), explainer, tmp_path / "ix")
    assert len(open_index(tmp_path / "ix", explainer)) == 2
    with pytest.raises(MismatchError, match="weights differ"):
        open_index(tmp_path / "ix", other)


def test_an_index_says_what_its_texts_were_encoded_with(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"_id": "a", "text": "one two"}\n')
    build_index(Corpus((tmp_path / "c.jsonl",)), random_explainer(), tmp_path / "ix")
    np.save(tmp_path / "v.npy", HashingEncoder(64).encode_document(["one two"]))
    build_index(Corpus((tmp_path / "c.jsonl",), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "iv")
    made = [open_index(tmp_path / name).manifest.made_from[0]["encoded_with"] for name in ("ix", "iv")]
    assert made == [{**HashingEncoder(64).identity.to_dict(), "precision": "float32"}, None]


def test_internalizers_of_both_forms_differ() -> None:
    assert random_internalizer(form="paper").digest != random_internalizer().digest


def test_queries_and_documents_are_kept_apart_whatever_their_prompts(tmp_path: Path) -> None:
    """A model may read the two in different ways; then a text has two vectors."""
    vectors = {"query": np.eye(4, dtype=np.float32)[0], "document": np.eye(4, dtype=np.float32)[1]}

    def of(role: str) -> Callable[[Sequence[str]], np.ndarray]:
        return lambda texts: np.stack([vectors[role]] * len(texts))

    encoder = FunctionEncoder(of("document"), of("query"), name="two towers", version="1")
    cached = CachedEncoder(encoder, tmp_path)
    for _ in range(2):
        assert cached.encode_document(["the same"]).argmax() == 1
        assert cached.encode_query(["the same"]).argmax() == 0
    assert cached.path("query") != cached.path("document")
