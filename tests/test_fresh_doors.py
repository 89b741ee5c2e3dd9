"""Options, folders and numbers that a fresh attempt at breaking the command line used."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases_data import refused, run
from conftest import random_explainer, unit
from index_data import SMALL, records, write_corpus

from xetrieval import FitConfig, SteeringProfile, build_index, fit, load, open_encoder, open_index
from xetrieval.cli.progress import progress_bar
from xetrieval.configs import ChunkConfig, SaeConfig, SteeringConfig
from xetrieval.encoders import EndpointEncoder, HashingEncoder
from xetrieval.encoders.cost import Sending
from xetrieval.encoders.model_folder import ModelFolder
from xetrieval.encoders.same import fingerprint_cosine
from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.evaluate.names import Sheet, score_names
from xetrieval.evaluate.names.key import KeyRow
from xetrieval.explain.card import model_card
from xetrieval.files.database import database
from xetrieval.index import Corpus
from xetrieval.index.build.compact import compact_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.labels.worksheet import csv_rows
from xetrieval.serve.limits import _sent_token


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(40)),))
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    return tmp_path / "index"


@pytest.mark.parametrize("place", ["shards/000001", "building", "shards/000000/y", "explainer/y"])
def test_no_index_is_built_inside_an_index(folder: Path, place: str) -> None:
    corpus = Corpus((folder.parent / "c.jsonl",))
    with pytest.raises(InputError, match="inside the index"):
        build_index(corpus, random_explainer(), folder / place, SMALL)
    assert not (folder / place).exists()


def test_vectors_that_are_a_device_are_damaged(folder: Path) -> None:
    for vectors in folder.glob("shards/*/vectors.f32"):
        vectors.unlink()
        vectors.symlink_to("/dev/null")
    with pytest.raises(DamagedError, match="not a regular file"):
        open_index(folder).search(unit(1)[0])


@pytest.mark.parametrize("output", ["-", "index/inside"])
def test_a_sweep_refuses_a_folder_before_it_trains(folder: Path, output: str) -> None:
    np.save(folder.parent / "v.npy", unit(64))
    before = sorted(folder.parent.rglob("*"))
    done = run("sae", "sweep", folder.parent / "v.npy", "--output", output if output == "-" else folder / "inside")
    refused(done, "standard output" if output == "-" else "inside the index")
    assert sorted(folder.parent.rglob("*")) == before
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"variant": "relu", "inference_k": 4}, "inference l0 is for topk variants"),
        ({"variant": "batchtopk", "scoring": "bfloat16"}, "scoring bfloat16 is for topk variants"),
        ({"variant": "topk", "penalty": 0.5}, "topk has no penalty"),
        ({"variant": "relu", "held_out": 1.0}, "held out 1.0 is out of range"),
        ({"variant": "relu", "held_out": float("nan")}, "held out nan is out of range"),
    ],
)
def test_a_setting_that_a_variant_does_not_use_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        SaeConfig(features=64, l0=4, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e9, -1.0])
def test_factors_of_steering_are_numbers_up_to_the_limit_of_profiles(factor: float) -> None:
    with pytest.raises(InputError, match="give a number, at least 0 and at most 100"):
        SteeringConfig(alphas=(factor, 1.0))


def test_an_explainer_beside_a_folder_of_internalizers_is_refused(tmp_path: Path) -> None:
    done = run(
        *("evaluate", "retrieval", "--data", tmp_path, "--internalizers", tmp_path, "--encoder", "hashing"),
        *("-x", tmp_path / "nowhere"),
    )
    refused(done, "--internalizers and -x do not go together")


def test_two_label_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("feature_id,label,label\n1,first,second\n")
    with pytest.raises(InputError, match="two columns 'label'"):
        list(csv_rows(tmp_path / "w.csv", ("feature_id", "label")))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_of_a_token_can_be_in_any_case(scheme: str) -> None:
    assert _sent_token({b"authorization": f"{scheme} abc"}) == "abc"
    assert _sent_token({b"authorization": "Basic abc", b"cookie": ""}) == ""


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o077])
def test_databases_have_the_permissions_of_the_umask(folder: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        delete_documents(folder, ["d3"])
        compact_index(folder)
        with database(folder.parent / "cache.sqlite", "CREATE TABLE IF NOT EXISTS t (a INTEGER)", "a cache"):
            pass
    finally:
        os.umask(before)
    made = [folder.parent / "cache.sqlite", *folder.glob("shards/*/documents.sqlite")]
    assert len(made) > 1
    assert {path.stat().st_mode & 0o777 for path in made} == {0o666 & ~mask}


def test_a_stage_without_time_behind_it_has_no_rate(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with progress_bar(lambda: now[0]) as progress:
        now[0] = 20.0
        progress("encode", 200, 200, "")
    assert capsys.readouterr().err == "encode: 200 of 200\n"


def test_an_empty_profile_is_not_announced(folder: Path) -> None:
    profile = folder.parent / "p.json"
    SteeringProfile({}, open_index(folder).explainer.sae.digest).save(profile)
    done = run("search", folder, "tea", "--steer", profile)
    assert (done.returncode, "steered" in done.stdout) == (0, False)


def test_a_filter_by_bytes_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="neither text"):
        open_index(folder).search("tea", filters={"site": b"ai"})


def _model(folder: Path, heading: str, **settings: object) -> ModelFolder:
    folder.mkdir()
    (folder / "modules.json").write_text(json.dumps([{"path": "", "type": "models.Transformer"}]))
    (folder / "config.json").write_text("{}")
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    (folder / "README.md").write_text(f"# {heading}\n")
    return ModelFolder(folder)


def test_a_model_for_dot_products_saved_as_one_for_cosine_has_a_note(tmp_path: Path) -> None:
    saved = _model(tmp_path / "a", "multi-qa-mpnet-base-dot-v1", similarity_fn_name="cosine")
    assert "its files say cosine" in saved.similarity()[0]
    with pytest.raises(InputError, match="trained to rank by dot product"):
        _model(tmp_path / "b", "multi-qa-mpnet-base-dot-v1").similarity()


def test_empty_prompts_of_a_model_whose_family_needs_some_have_a_note(tmp_path: Path) -> None:
    prompts = _model(tmp_path / "a", "e5-small-v2", prompts={"query": "", "document": ""}).prompts()
    assert (prompts.query, prompts.document) == ("", "")
    assert "the prompts in its files are empty" in prompts.notes[0]
    own = _model(tmp_path / "b", "e5-small-v2", prompts={"query": "Q: ", "document": ""}).prompts()
    assert (own.query, own.document, own.notes) == ("Q: ", "", ())


def test_text_that_was_not_read_is_that_of_the_documents_in_the_index(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "text": "word " * 300}, {"_id": "b", "text": "hill"}])
    whole = ChunkConfig(whole=True)
    build_index(Corpus((path,), whole), random_explainer(), tmp_path / "index", SMALL)
    first = open_index(tmp_path / "index").read_totals()
    assert first is not None
    assert (first.unread, first.longer) == (44, 1)
    write_corpus(path, [{"_id": "a", "text": "short now"}])
    build_index(Corpus((path,), whole), random_explainer(), tmp_path / "index", replace(SMALL, adding=True))
    for _ in range(2):
        read = open_index(tmp_path / "index").read_totals()
        assert read is not None
        assert (read.counted, read.unread, read.longer) == (2, 0, 0)
        compact_index(tmp_path / "index")
    delete_documents(tmp_path / "index", ["b"])
    left = open_index(tmp_path / "index").read_totals()
    assert left is not None
    assert (left.counted, left.tokens) == (1, read.tokens - 1)


def test_two_sheets_of_one_judge_are_refused() -> None:
    with pytest.raises(InputError, match="two sheets are by the judge 'ann'"):
        score_names([], [Sheet("ann", {}), Sheet("ann", {})])


def test_an_endpoint_that_gives_other_vectors_than_at_the_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, turned = HashingEncoder(64), np.linalg.qr(unit(64))[0]
    monkeypatch.setattr(EndpointEncoder, "_request", lambda _, texts: right.encode_document(texts))
    path, url = write_corpus(tmp_path / "c.jsonl", records(40)), "http://127.0.0.1:9/v1#m"
    sae = SaeConfig(features=16, l0=4, inference_k=4)
    fitted = fit([path], EndpointEncoder.parse(url), [], output=tmp_path / "ex", config=FitConfig(sae=sae))
    assert fitted.encoder.identity.name == url
    assert load(tmp_path / "ex", cache=False).explain("tea", "green tea").score > 0
    assert "probe" not in model_card(fitted)
    monkeypatch.setattr(EndpointEncoder, "_request", lambda _, texts: right.encode_document(texts) @ turned)
    with pytest.raises(MismatchError, match="gives different vectors from when explainer ex was fitted"):
        load(tmp_path / "ex", cache=tmp_path / "fresh").explain("tea", "green tea")
    with pytest.raises(MismatchError, match="a different model"):
        load(tmp_path / "ex", cache=False, encoder=EndpointEncoder.parse(url))


@pytest.mark.parametrize("known", [None, "x", [[1]], [[999, 0.5]], [["a", "b"]], [], {}])
def test_a_damaged_fingerprint_tells_nothing(known: object) -> None:
    assert fingerprint_cosine(known, unit(1)[0]) in (None, 0.0)


@pytest.mark.parametrize("ids", ["0-999999999999", "5-3", "²", "9" * 5000, "0-", "128", "x"])
def test_ids_of_no_features_are_refused_at_once(folder: Path, ids: str) -> None:
    refused(run("label", "export", folder, "--ids", ids, "--output", folder.parent / "sheet.csv"), "--ids")


def test_a_sheet_made_with_another_key_is_refused() -> None:
    key = [KeyRow("a", 1, "shown", "q", "d", True, 0.5, "3", 0.2, "=sum")]
    good = Sheet("ann", {("a", 1): 2}, {("a", 1): "'=sum"})
    assert score_names(key, [good]).judges == ("ann",)
    with pytest.raises(InputError, match="made with a different key"):
        score_names(key, [Sheet("ann", {("a", 1): 2}, {("a", 1): "rivers"})])


def test_a_width_of_no_columns_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    assert "encoder" in run("index", "info", folder).stdout
    assert "Usage" in run("search", "--help").stdout


@pytest.mark.parametrize("dimension", ["99999999999", "1", "9" * 5000, "²"])
def test_a_hashing_encoder_has_a_dimension_that_fits_into_memory(dimension: str) -> None:
    with pytest.raises(InputError, match="dimension"):
        open_encoder(f"hashing:{dimension}")


@pytest.mark.parametrize("price", [-1.0, float("inf"), float("nan")])
def test_a_price_is_a_number(price: float) -> None:
    with pytest.raises(InputError, match="--price"):
        Sending("x", 1, 10).sentence(price)


@pytest.mark.parametrize("option", ["--evidence", "--chunks"])
def test_the_form_of_the_release_has_no_evidence_and_no_chunks(tmp_path: Path, option: str) -> None:
    random_explainer().save(tmp_path / "toy")
    words = " ".join(f"word{n} tea." for n in range(400))
    done = run("explain", "tea", words, "-x", tmp_path / "toy", "--format", "release", option)
    refused(done, "--format release has no fields for evidence and chunks")


def test_what_is_deleted_twice_counts_once(folder: Path) -> None:
    assert "2 deleted, 38 documents left" in run("index", "delete", folder, "d3", "d3", "d4").stderr
