"""What belongs to an index or an explainer is not replaced by a result, nor by another explainer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer
from index_data import build_small, content

from xetrieval import SteeringProfile, open_index
from xetrieval.errors import InputError
from xetrieval.evaluate.plots import check_figure
from xetrieval.labels.relabel import NewLabel, relabel

PROFILE = SteeringProfile({1: 2.0}, "digest")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("ours"), 40)


def test_the_explainer_of_an_index_is_not_replaced(index: Path) -> None:
    before = content(index)
    for folder in ("explainer", "explainer/inner", "new", "shards/new"):
        for overwrite in (True, False):
            with pytest.raises(InputError, match=r"inside the index|exists already"):
                random_explainer().save(index / folder, overwrite=overwrite)
    with pytest.raises(InputError, match="inside the index"):
        random_explainer().sae.save(index / "sae")
    with pytest.raises(InputError, match="inside the index"):
        relabel(index / "explainer", [NewLabel(1, "salt", "a person")])
    assert content(index) == before
    assert len(open_index(index).search("word1 word2", k=3)) == 3


@pytest.mark.parametrize(
    "place",
    [
        "config.json",
        "shards/000000/shard.json",
        "shards/000000/vectors.f32",
        "explainer/config.json",
        "explainer/README.md",
    ],
)
def test_a_file_of_an_index_is_not_replaced_by_a_result(index: Path, place: str, tmp_path: Path) -> None:
    before, file = content(index), index / place
    pair = ("explain", "salt", "salt water", "-x", str(index / "explainer"))
    refused(run(*pair, "--output", str(file)), "that is the input" if "explainer" in place else "part of")
    link = tmp_path / "link"
    link.symlink_to(file)
    refused(run(*pair, "--format", "json", "--output", str(link)))
    with pytest.raises(InputError, match="part of"):
        PROFILE.save(file)
    assert content(index) == before


def test_the_files_of_an_explainer_are_its_own_and_others_are_not(tmp_path: Path) -> None:
    explainer = random_explainer()
    explainer.save(tmp_path / "ex")
    for name in ("config.json", "README.md", "features.jsonl", "sae.safetensors"):
        with pytest.raises(InputError, match="part of"):
            PROFILE.save(tmp_path / "ex" / name)
    (tmp_path / "ex" / "figure.png").write_bytes(b"old")
    check_figure(tmp_path / "ex" / "figure.png")
    for name in ("profile.json", "profile.json", "mine/profile.json"):
        (tmp_path / "ex" / "mine").mkdir(exist_ok=True)
        PROFILE.save(tmp_path / "ex" / name)
    (tmp_path / "config.json").write_text(json.dumps({"format": "somebody else's"}))
    output = tmp_path / "config.json"
    accepted(
        run("explain", "salt", "salt water", "-x", str(tmp_path / "ex"), "--format", "json", "--output", str(output))
    )
    assert "score" in json.loads(output.read_text())
