"""Paths that no file system takes are refused in words wherever a path enters."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer
from index_data import records, write_corpus

import xetrieval
from xetrieval import BuildConfig, Corpus, SteeringProfile, build_index, open_encoder, open_index
from xetrieval.data.benchmark import open_benchmark
from xetrieval.data.judgments import read_clicks, read_judgments, read_queries
from xetrieval.data.lines import read_json_lines
from xetrieval.data.pairs import read_pairs
from xetrieval.encoders import CachedEncoder, HashingEncoder
from xetrieval.errors import InputError
from xetrieval.files import read_arrays, read_bytes, read_json, read_text
from xetrieval.index.build.compact import compact_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.build.verify import verify_index
from xetrieval.labels.prune import prune_folder
from xetrieval.llm.open import open_llm
from xetrieval.release import import_release
from xetrieval.sae import SparseAutoencoder
from xetrieval.teachers.prompt import read_prompt

UNUSABLE = {
    "a NUL byte": "a\0b",
    "half a character": "a\ud800b",
    "a long name": "x" * 300,
    "a long name in a folder that is not there": "nowhere/" + "x" * 300,
    "a long path": "y/" * 3000 + "z",
}
EXPLAINER = random_explainer()


def doors(home: Path) -> dict[str, Callable[[str], object]]:
    """Every public function that takes a path, as a call with one path that is not usable."""
    corpus = write_corpus(home / "corpus.jsonl", records(8))
    folder, new = home / "explainer", home / "new"
    EXPLAINER.save(folder)
    return {
        "load": xetrieval.load,
        "load, Path": lambda path: xetrieval.load(Path(path)),
        "load, cache": lambda path: xetrieval.load(folder, cache=path),
        "load, encoder": lambda path: xetrieval.load(folder, encoder=Path(path)),
        "save": EXPLAINER.save,
        "save, overwrite": lambda path: EXPLAINER.save(path, overwrite=True),
        "with_encoder": EXPLAINER.with_encoder,
        "open_encoder": open_encoder,
        "open_encoder, vectors": lambda path: open_encoder(f"vectors:{path}"),
        "CachedEncoder": lambda path: CachedEncoder(HashingEncoder(), path),
        "open_index": open_index,
        "build_index": lambda path: build_index(Corpus((corpus,)), EXPLAINER, path),
        "build_index, add": lambda path: build_index(Corpus((corpus,)), EXPLAINER, path, BuildConfig(adding=True)),
        "build_index, corpus": lambda path: build_index(Corpus((Path(path),)), EXPLAINER, new),
        "build_index, vectors": lambda path: build_index(Corpus((corpus,), vectors=Path(path)), EXPLAINER, new),
        "fit, corpus": lambda path: xetrieval.fit([path], "hashing", [], output=new),
        "fit, output": lambda path: xetrieval.fit([corpus], "hashing", [], output=path),
        "fit, encoder": lambda path: xetrieval.fit([corpus], Path(path), [], output=new),
        "fit, teacher": lambda path: xetrieval.fit([corpus], "hashing", [path], output=new),
        "SteeringProfile.load": lambda path: SteeringProfile.load(path, EXPLAINER.sae),
        "SparseAutoencoder.load": SparseAutoencoder.load,
        "SparseAutoencoder.save": EXPLAINER.sae.save,
        "prune_folder": lambda path: prune_folder(path, [1], new),
        "prune_folder, output": lambda path: prune_folder(folder, [1], Path(path)),
        "import_release": lambda path: import_release(path, home, HashingEncoder()),
        "import_release, internalizers": lambda path: import_release(corpus, path, HashingEncoder()),
        "read_prompt": read_prompt,
        "open_llm": lambda path: open_llm(f"replay:{path}"),
        "open_benchmark": open_benchmark,
        "read_clicks": lambda path: read_clicks(Path(path)),
        "read_judgments": lambda path: list(read_judgments(Path(path))),
        "read_queries": lambda path: read_queries(Path(path)),
        "read_pairs": lambda path: list(read_pairs(Path(path))),
    }


@pytest.mark.parametrize("path", UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_path_is_refused_at_every_door(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened = doors(tmp_path)
    before = set(os.listdir(tmp_path))
    for name, door in opened.items():
        with pytest.raises(InputError) as error:
            door(path)
        assert "\0" not in str(error.value), name
        assert len(str(error.value)) < 300, name
    assert set(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("given", [None, 5, b"folder", ["folder"]])
def test_what_is_not_a_path_is_refused(given: object) -> None:
    for door in (open_index, xetrieval.load, EXPLAINER.save, SparseAutoencoder.load):
        with pytest.raises(InputError, match="a path is expected"):
            door(given)  # type: ignore[operator]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home. The current folder is another one, next to it."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def test_a_tilde_is_the_home_at_every_door(home: Path) -> None:
    for name, door in doors(home).items():
        with suppress(InputError):
            door("~/made")
        assert not Path("~").exists(), name
        remove(home / "made")


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def test_a_file_under_a_tilde_is_read(home: Path) -> None:
    corpus = write_corpus(home / "corpus.jsonl", records(8))
    EXPLAINER.save("~/explainer")
    assert xetrieval.load("~/explainer").digest == EXPLAINER.digest
    EXPLAINER.sae.save("~/sae")
    assert SparseAutoencoder.load("~/sae").digest == EXPLAINER.sae.digest
    profile = SteeringProfile({1: 2.0}, EXPLAINER.sae.digest)
    profile.save("~/profile.json")
    assert SteeringProfile.load("~/profile.json", EXPLAINER.sae).factors == {1: 2.0}
    build_index(Corpus((Path("~/corpus.jsonl"),)), EXPLAINER, "~/index")
    assert open_index("~/index").manifest.alive == len(open_index(home / "index")) == 8
    assert delete_documents(Path("~/index"), [open_index("~/index").document(0).id]) == 7
    assert compact_index(Path("~/index")).removed == 1
    assert verify_index(Path("~/index")).files
    assert corpus.is_file()
    assert not list(Path().iterdir())


def test_the_command_line_expands_a_tilde(home: Path) -> None:
    write_corpus(home / "corpus.jsonl", records(8))
    EXPLAINER.save("~/explainer")
    arguments = ("--explainer=~/explainer", "--output=~/index")
    accepted(run("index", "build", "~/corpus.jsonl", *arguments))
    accepted(run("search", "~/index", "word1", "--format", "json"))
    accepted(run("features", "~/index"))
    refused(run("label", "export", "~/explainer", "--output=~/explainer"), "that is the input")
    assert not list(Path().iterdir())
    assert sorted(path.name for path in home.iterdir()) == ["corpus.jsonl", "explainer", "index"]


def test_a_folder_where_a_file_is_expected_is_called_a_folder(tmp_path: Path) -> None:
    for read in (read_text, read_bytes, read_json, read_arrays, lambda path: list(read_json_lines(path))):
        with pytest.raises(InputError, match="that is a folder; give a file"):
            read(tmp_path)
        with pytest.raises(InputError, match="no such file"):
            read(tmp_path / "absent")
