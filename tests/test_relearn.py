"""An index learns its dictionary again: ids and labels stay, and the old one is used until the new one is whole."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import accepted
from conftest import random_explainer
from index_data import SMALL, content, write_corpus
from test_cli import run
from test_own_dictionary import OWN, Killed, dies, records

from xetrieval import load, open_index
from xetrieval.cli.app import app
from xetrieval.errors import InputError, LostFeaturesWarning, MismatchError
from xetrieval.evaluate.doctor import checkup
from xetrieval.fitting import carry
from xetrieval.fitting import own as fitting_own
from xetrieval.fitting.carry import carry_over
from xetrieval.index import Corpus, build_index
from xetrieval.index.ask.drift import drift
from xetrieval.index.build import relearn, shards
from xetrieval.index.build.compact import compact_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.build.labelled import IndexTarget
from xetrieval.index.build.relearn import relearn_index
from xetrieval.index.build.verify import verify_index
from xetrieval.index.build.writer import ShardWriter
from xetrieval.labels.relabel import NewLabel, relabel
from xetrieval.sae import SparseAutoencoder
from xetrieval.steer import SteeringProfile

BUILT = 200


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 200 documents that learned its dictionary, and 30 more, three deleted."""
    home = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("xetrieval.configs.rule.STEPS", 60)
        first = Corpus((write_corpus(home / "corpus.jsonl", records(BUILT)),))
        build_index(first, random_explainer(), home / "index", OWN)
    more = Corpus((write_corpus(home / "more.jsonl", records(230)[BUILT:]),))
    build_index(more, load(home / "index" / "explainer"), home / "index", replace(SMALL, adding=True))
    delete_documents(home / "index", ["d3", "d90", "d210"])
    return home / "index"


@pytest.fixture
def index(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("xetrieval.configs.rule.STEPS", 60)
    shutil.copytree(built, tmp_path / "index")
    return tmp_path / "index"


def test_features_keep_their_ids_and_labels(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = open_index(index)
    with monkeypatch.context() as patched:
        for name in ("encode_document", "encode_query"):
            patched.setattr(type(old.explainer.encoder), name, lambda *_: pytest.fail("a text was encoded"))
        patched.setattr(fitting_own, "_encoder", lambda _: None)  # the reader of terms
        done = relearn_index(index)
    new = open_index(index)
    assert done.kept >= 0.7 * (old.frequency > 0).sum()
    assert new.explainer.sae.features == old.explainer.sae.features + done.new
    both = [j for j in range(old.explainer.sae.features) if not new.explainer.sae.retired[j]]
    assert len(both) == done.kept
    for j in both:
        before, after = old.explainer.features[j], new.explainer.features[j]
        assert before.label is None or after.label == before.label
        cosine = float(old.explainer.sae.directions[j] @ new.explainer.sae.directions[j])
        assert cosine / np.linalg.norm(new.explainer.sae.directions[j]) > 0.79
    labels = [feature.label for feature in new.explainer.features if feature.label]
    assert len(labels) == len(set(labels))
    assert new.explainer.name == "toy-own"
    assert (len(new), new.manifest.deleted.rows, new.find("d3")) == (227, 3, None)
    assert new.document(new.row_of("d4")).text == old.document(old.row_of("d4")).text
    rows = new.alive
    assert np.array_equal(old.vectors(rows), new.vectors(rows))
    fresh = new.explainer.codes(new.vectors(rows))[0]
    stored = new.codes(rows, "original")
    assert sorted(np.unique(fresh.features[fresh.values > 0])) == sorted(np.unique(stored.features[stored.values > 0]))
    for row in rows[:50].tolist():
        known, words = old.words_of(row), new.words_of(row)
        active = {j for codes in new.all_codes(np.array([row])) for j in codes.support(0).tolist()}
        assert words == {j: known[j] for j in known if j in active}
    assert any(new.words_of(row) for row in rows.tolist())
    assert verify_index(index).unknown == ()
    assert not (index / "explainer").exists()
    assert new.learned_here
    assert new.explainer.provenance["documents"] == 227
    assert checkup(new).pairs == new.explainer.metrics["pairs"]["pairs"], "of rows that were held out"


def test_the_index_goes_on(index: Path, tmp_path: Path) -> None:
    relearn_index(index)
    again = relearn_index(index, seed=1)
    assert (index / "explainer-000005").is_dir()
    assert again.kept > 0
    assert len(open_index(index).explainer.provenance["earlier"]) == 2
    more = Corpus((write_corpus(tmp_path / "more.jsonl", records(240)[230:]),))
    opened = load(index / "explainer-000005")
    assert build_index(more, opened, index, replace(SMALL, adding=True)).added == 10
    compact_index(index)
    assert len(open_index(index)) == 237
    assert open_index(index).search("whales sing", 3)
    assert verify_index(index).unknown == ()


def test_compact_names_what_was_learned_from_removed_documents(index: Path) -> None:
    done = accepted(run("index", "compact", index)).stderr
    assert "ids of examples and vectors of sentences from removed documents stay" in done
    assert f"xetrieval index relearn {index}" in done


def test_same_index_and_seed_same_bytes(index: Path, tmp_path: Path) -> None:
    shutil.copytree(index, tmp_path / "b")
    shutil.copytree(index, tmp_path / "c")
    relearn_index(index)
    relearn_index(tmp_path / "b")
    relearn_index(tmp_path / "c", seed=1)
    assert content(index) == content(tmp_path / "b")
    assert content(index) != content(tmp_path / "c")


def test_ids_of_lost_features_are_not_used_again(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = open_index(index).explainer
    monkeypatch.setattr(carry, "LEAST_OVERLAP", 0.75)
    done = relearn_index(index)
    first = open_index(index).explainer
    assert done.lost > 0
    assert done.new > 0
    assert first.sae.features == old.sae.features + done.new
    retired = np.flatnonzero(first.sae.retired)
    assert len(retired) >= done.lost
    assert all(first.features[j].flags == ("retired",) and first.features[j].label is None for j in retired)
    assert not open_index(index).frequency[retired].any()
    relearn_index(index, seed=1)
    second = open_index(index).explainer
    assert second.sae.retired[retired].all()


def test_what_a_person_wrote_is_kept(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = [NewLabel(j, f"mine {j}", "worksheet:Ada") for j in range(64)]
    relabel(IndexTarget(index), mine)
    monkeypatch.setattr(carry, "LEAST_OVERLAP", 0.75)
    app(["index", "relearn", str(index)], standalone_mode=False)
    said = capsys.readouterr().err
    made = open_index(index).explainer
    lost = np.flatnonzero(made.sae.retired).tolist()
    assert lost
    assert made.provenance["lost_labels"] == {str(j): f"mine {j}" for j in lost}
    assert f"{lost[0]}: mine {lost[0]}" in " ".join(said.split())
    assert all(
        made.features[j].label == f"mine {j}" and made.features[j].source == "worksheet:Ada"
        for j in range(64)
        if j not in lost
    )


def test_a_dictionary_from_elsewhere_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xetrieval.configs.rule.STEPS", 12)
    corpus = Corpus((write_corpus(tmp_path / "corpus.jsonl", records(160)),))
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    done = relearn_index(tmp_path / "index")
    assert (done.kept, done.replaced) == (0, "toy")
    made = open_index(tmp_path / "index")
    assert made.learned_here
    assert made.explainer.sae.features == 64
    assert made.explainer.provenance["sentences"] == 0


def test_refusals(index: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        relearn_index(tmp_path / "nowhere")
    delete_documents(index, [one for one in (f"d{i}" for i in range(230)) if open_index(index).find(one) is not None])
    with pytest.raises(InputError, match="every document in it was deleted"):
        relearn_index(index)


POINTS = [
    (relearn, "begin_building", 1),
    (fitting_own, "train_sae", 1),
    (fitting_own, "write_sae", 1),
    (fitting_own, "carry_over", 1),
    (fitting_own, "label_features", 1),
    (relearn, "write_explainer", 1),
    (relearn, "write_sentences", 1),
    (relearn, "write_text", 1),
    (shards.ShardMaker, "_begin_again", 2),
    (ShardWriter, "append_codes", 2),
    (ShardWriter, "seal", 2),
    (shards.ShardMaker, "make", 3),
    (relearn, "write_manifest_with", 1),
    (relearn, "clean", 1),
]


@pytest.fixture(scope="module")
def whole(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("whole") / "index"
    shutil.copytree(built, folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("xetrieval.configs.rule.STEPS", 60)
        relearn_index(folder)
    return content(folder)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("place", "name", "at"), POINTS, ids=[f"{name}-{at}" for _, name, at in POINTS])
def test_a_killed_relearn_leaves_the_index_in_use_and_is_resumed(
    place: Any,
    name: str,
    at: int,
    after: bool,
    whole: dict[str, object],
    index: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if name == "clean" and after:
        pytest.skip("nothing is left to do")
    old = open_index(index).explainer.digest
    with monkeypatch.context() as patched:
        dies(patched, place, name, at, after=after)
        with pytest.raises(Killed):
            relearn_index(index)
    opened = open_index(index)
    published = name == "clean" or (name == "write_manifest_with" and after)
    assert (opened.explainer.digest == old) != published
    assert opened.search("whales sing long songs", 3)[0].explanation is not None
    assert relearn_index(index).documents == 227
    assert content(index) == whole


def test_another_change_discards_an_unfinished_relearn(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = shutil.copytree(index, index.with_name("wanted"))
    delete_documents(wanted, ["d5"])
    for name, at in (("append_codes", 2), ("seal", 2)):
        with monkeypatch.context() as patched:
            dies(patched, ShardWriter, name, at, after=True)
            with pytest.raises(Killed):
                relearn_index(index)
        assert (index / "explainer-000004").is_dir()
        copy = shutil.copytree(index, index.with_name(name))
        delete_documents(copy, ["d5"])
        assert content(copy) == content(wanted)


def test_profiles_are_carried_over_and_what_is_lost_is_named(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = open_index(index).explainer.sae
    SteeringProfile(dict.fromkeys(range(64), 2.0), old.digest).save(tmp_path / "profile.json")
    monkeypatch.setattr(carry, "LEAST_OVERLAP", 0.75)
    relearn_index(index)
    new = open_index(index).explainer
    with pytest.raises(MismatchError):
        SteeringProfile.load(tmp_path / "profile.json", new.sae)
    with pytest.warns(LostFeaturesWarning, match="were removed, or lost when the dictionary was retrained"):
        profile = SteeringProfile.load(tmp_path / "profile.json", new.sae, new.earlier)
    assert profile.sae_digest == new.sae.digest
    assert sorted(profile.factors) == np.flatnonzero(~new.sae.retired[:64]).tolist()
    with pytest.warns(LostFeaturesWarning):
        app(["search", str(index), "whales", "--steer", str(tmp_path / "profile.json")], standalone_mode=False)
    relearn_index(index, seed=1)
    newest = open_index(index).explainer
    with pytest.warns(LostFeaturesWarning):
        SteeringProfile.load(tmp_path / "profile.json", newest.sae, newest.earlier)


def test_documents_that_the_features_do_not_know_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("xetrieval.configs.rule.STEPS", 300)
    folder = tmp_path / "index"
    build_index(Corpus((write_corpus(tmp_path / "corpus.jsonl", records(BUILT)),)), random_explainer(), folder, OWN)
    assert drift(open_index(folder)) is None

    def add(name: str, rows: list[dict[str, object]]) -> str:
        app(["index", "add", str(folder), str(write_corpus(tmp_path / name, rows))], standalone_mode=False)
        return " ".join(capsys.readouterr().err.split())

    assert "poorly explained" not in add("same.jsonl", records(230)[BUILT:])
    found = drift(open_index(folder))
    assert found is not None
    assert (found.added, found.note(open_index(folder))) == (30, None)
    app(["index", "info", str(folder)], standalone_mode=False)
    assert "30 since the features were learned" in " ".join(capsys.readouterr().out.split())
    strange = [{"_id": f"s{i}", "text": " ".join(f"{w}{i * j}" for j, w in enumerate("abcdefgh"))} for i in range(20)]
    said = add("strange.jsonl", strange)
    assert "20 of 50 new documents are poorly explained (reconstructed with a cosine below" in said
    assert f"run: xetrieval index relearn {folder}" in said
    app(["index", "info", str(folder)], standalone_mode=False)
    assert "20 of 50 new documents" in " ".join(capsys.readouterr().out.split())
    assert any("20 of 50 new documents" in line for line in checkup(open_index(folder)).advice)
    relearn_index(folder)
    assert drift(open_index(folder)) is None


def test_retired_features_are_no_controls() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 16)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    weight = rng.standard_normal((8, 16)).astype(np.float32)

    def sae(rows: np.ndarray[Any, Any]) -> SparseAutoencoder:
        zeros, none = np.zeros(16, np.float32), np.zeros(len(rows), np.float32)
        return SparseAutoencoder(rows, none, rows.T.copy(), zeros, None, none)

    class Taken:
        def __len__(self) -> int:
            return len(x)

        def take(self, rows: Any) -> Any:
            return x[rows]

    learned = sae(np.concatenate([weight[:5], -weight[5:6]]))
    carried = carry_over(sae(weight), learned, Taken())
    assert carried.kept == {0, 1, 2, 3, 4}
    assert carried.lost == {5, 6, 7}
    assert carried.new == {8}
    assert carried.sae.features == 9
    assert carried.sae.retired.tolist() == [False] * 5 + [True] * 3 + [False]
    codes = carried.sae.encode(x)
    assert not np.isin(codes.features[codes.values > 0], [5, 6, 7]).any()
    from xetrieval.explain.untrained import untrained

    assert next(iter(untrained(carried.sae, x))).features == 6
