"""The cases of indexes and explainers from strangers: damaged in every file, each refused in words."""

from __future__ import annotations

import json
import runpy
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from cases_data import CASES, Done, accepted, refused, run
from conftest import random_explainer
from index_data import build_small

from xetrieval.errors import DamagedError, XetrievalError
from xetrieval.files.manifest import sealed
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.index.build.verify import verify_index
from xetrieval.index.store.manifest import read_index_manifest

pytestmark = pytest.mark.slow


def script(name: str, target: Path) -> Path:
    """What cases/make/NAME.py writes, made in this process."""
    with mock.patch.object(sys, "argv", [f"{name}.py", str(target)]):
        runpy.run_path(str(CASES / "make" / f"{name}.py"), run_name="__main__")
    return target


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of make/indexes.py; the whole ones are by the hashing encoder, which loads no model."""
    pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    out = tmp_path_factory.mktemp("cases") / "indexes"
    out.mkdir()
    build_index(Corpus((CASES / "corpus" / "ok.jsonl",)), random_explainer(), out / "good")
    shutil.copytree(out / "good", out / "good_accelerated")
    accepted(run("index", "accelerate", out / "good_accelerated", "quantised", "faiss"))
    accepted(run("search", out / "good_accelerated", "tyres", "--by", "bm25"))
    return script("indexes", out)


def of(made: Path, kind: str) -> Iterator[Path]:
    found = sorted(made.glob(f"{kind}_*"))
    assert found
    yield from found


def damaged_file(folder: Path, whole: Path) -> str:
    """The one file in which a copy differs."""
    differing = [
        path.relative_to(whole).as_posix()
        for path in sorted(whole.rglob("*"))
        if path.is_file() and path.read_bytes() != (folder / path.relative_to(whole)).read_bytes()
    ]
    assert len(differing) == 1, differing
    return differing[0]


def test_whole_indexes_are_whole_and_strange_files_are_named(made: Path, tmp_path: Path) -> None:
    assert verify_index(made / "good").unknown == ()
    assert verify_index(made / "good_accelerated").unknown == ()
    copy = Path(shutil.copytree(made / "good_accelerated", tmp_path / "copy"))
    (copy / "notes.txt").write_text("mine")
    (copy / "shards" / "000000" / "extra.f32").write_text("mine")
    done = accepted(run("index", "verify", copy))
    assert "notes.txt" in done.stderr
    assert "shards/000000/extra.f32" in done.stderr


def test_a_flipped_bit_is_found_in_every_file_and_the_file_is_named(made: Path) -> None:
    for folder in of(made, "flip"):
        name = damaged_file(folder, made / "good_accelerated")
        refused(run("index", "verify", folder), name)


def test_every_bit_of_the_small_files_counts(made: Path, tmp_path: Path) -> None:
    """Not one bit in the middle alone: all of them in the records, some hundred in the others."""
    copy = Path(shutil.copytree(made / "good_accelerated", tmp_path / "copy"))
    missed = []
    for path in sorted(p for p in copy.rglob("*") if p.is_file() and p.stat().st_size):
        if path.parent.name == "explainer" and path.name != "config.json":
            continue  # compared with its hash as the others are, and large
        whole, rng = path.read_bytes(), np.random.default_rng(0)
        places = range(8 * len(whole)) if path.name == "seal.json" else rng.integers(0, 8 * len(whole), 12).tolist()
        for bit in places:
            data = bytearray(whole)
            data[bit // 8] ^= 1 << bit % 8
            path.write_bytes(bytes(data))
            try:
                verify_index(copy)
                missed.append((path.name, bit))
            except DamagedError:
                pass
        path.write_bytes(whole)
    assert not missed


def searched(folder: Path) -> Done:
    return run("search", folder, "tyres", "--format", "json")


def right_or_refused(done: Done, wanted: str) -> None:
    if done.returncode == 0:
        found, right = (json.loads(text)["hits"] for text in (done.stdout, wanted))
        assert [(h["doc_id"], round(h["score"], 4)) for h in found] == [
            (h["doc_id"], round(h["score"], 4)) for h in right
        ]
    else:
        refused(done)


def test_a_file_cut_in_half_is_refused_or_not_needed(made: Path) -> None:
    wanted = accepted(searched(made / "good_accelerated")).stdout
    for folder in of(made, "cut"):
        right_or_refused(searched(folder), wanted)
        info = run("index", "info", folder)
        assert info.returncode == 0 or refused(info)
        refused(run("index", "verify", folder), damaged_file(folder, made / "good_accelerated"))
        more = ("--by", "bm25") if "bm25" in folder.name else ("--by", "sparse") if "postings" in folder.name else ()
        done = run("search", folder, "tyres", *(more or ("--exact", "--explain")))
        assert done.returncode == 0 or refused(done)


def test_a_changed_database_neither_hangs_nor_is_believed(made: Path) -> None:
    wanted = accepted(searched(made / "good")).stdout
    for folder in of(made, "sql"):
        began = time.monotonic()
        refused(run("index", "verify", folder), "documents.sqlite")
        right_or_refused(searched(folder), wanted)
        assert time.monotonic() - began < 20


def test_a_changed_manifest_is_refused(made: Path) -> None:
    for folder in of(made, "config"):
        refused(searched(folder))
        refused(run("index", "info", folder))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("dimension", value) for value in (0, -384, "64", 1 << 60, 64.0, True, None, 65)],
        *[("features", value) for value in (0, -1, "x", 129)],
        *[
            ("views", value)
            for value in (5, [], ["qa"], ["original", 5], ["original", "../x"], ["original"], "original")
        ],
        *[("shards", value) for value in ([], 5, [5], [{}], {"name": "000000"})],
        *[("made_from", value) for value in (5, [5], [{}], None)],
        *[("generation", value) for value in (0, "x", -1)],
        *[("explainer", value) for value in (5, {}, {"name": 5})],
        *[("deleted", value) for value in (5, {}, {"rows": -1, "sha256": ""}, {"rows": 10**9, "sha256": ""})],
        *[(f"shards.{field}", value) for field in ("rows", "files", "texts", "name") for value in (5, "x", -1)],
        ("shards.rows", 1 << 40),
        ("shards.files", {"../../x": "y"}),
        ("explainer.files", {"/etc/passwd": "y"}),
    ],
)
def test_a_strangers_manifest_with_its_hash_made_right_is_refused(
    made: Path, tmp_path: Path, field: str, value: object
) -> None:
    copy = Path(shutil.copytree(made / "good", tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    *place, last = field.split(".")
    record = config[place[0]] if place else config
    (record[0] if isinstance(record, list) else record)[last] = value
    (copy / "config.json").write_text(json.dumps(sealed(config)))
    if last not in ("texts", "files"):
        refused(searched(copy))
    refused(run("index", "verify", copy))


def test_rows_that_were_deleted_are_checked(made: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made / "good", tmp_path / "copy"))
    accepted(run("index", "delete", copy, "a"))
    gone = copy / read_index_manifest(copy).deleted_file
    for content in (b"", b"\xff" * 8, gone.read_bytes()[:4], gone.read_bytes() * 2):
        gone.write_bytes(content)
        with pytest.raises(DamagedError, match="deleted-"):
            open_index(copy)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("arrays"), 70)


ARRAYS = ("vectors.f32", "original.starts.u32", "original.features.u16", "original.values.f32", "qa.features.u16")
POSTED = ("postings.starts.u32", "postings.rows.u16", "postings.values.f32", "summary.starts.u32", "purpose.values.f16")


@pytest.mark.parametrize("name", [*ARRAYS, *POSTED])
@pytest.mark.parametrize("how", ["ones", "zeros", "shorter", "longer", "empty", "odd", "reversed"])
def test_arrays_of_a_stranger_end_in_an_answer_or_in_words(small: Path, tmp_path: Path, name: str, how: str) -> None:
    copy = Path(shutil.copytree(small, tmp_path / "copy"))
    path = copy / "shards" / "000000" / name
    data = path.read_bytes()
    path.write_bytes(
        {
            "ones": b"\xff" * len(data),
            "zeros": bytes(len(data)),
            "shorter": data[:-8],
            "longer": data + data[-8:],
            "empty": b"",
            "odd": data[:-1],
            "reversed": data[::-1],
        }[how]
    )
    for ask in (
        lambda index: index.search("word1 word2", 5)[0].explanation.to_dict(),
        lambda index: index.search("#1", 5, by="concept"),
        lambda index: index.search("word1", 5, by="sparse"),
        lambda index: index.why("word1", "d3", "d4").to_dict(),
        lambda index: index.frequency,
    ):
        with suppress(XetrievalError):
            assert "NaN" not in json.dumps(ask(open_index(copy)), default=str)
    with pytest.raises(DamagedError, match=name.replace(".", r"\.")):
        verify_index(copy)


# ---------------------------------------------------------------------- explainers


@pytest.fixture(scope="module")
def explainers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of make/explainers.py; the whole one is a toy."""
    out = tmp_path_factory.mktemp("cases") / "explainers"
    out.mkdir()
    random_explainer().save(out / "base")
    return script("explainers", out)


TAMPERED = ("k_text", "k_inf", "k_negative", "figures_text", "made_from_number", "version_99", "config_deep")
NUMBERS = ("sae_nan", "internalizer_nan", "internalizer_inf")


@pytest.mark.parametrize("case", [*TAMPERED, *NUMBERS, "files_outside"])
def test_a_strangers_explainer_is_refused(explainers: Path, case: str) -> None:
    refused(run("info", explainers / case))
    refused(run("explain", "tyres", "Check tyres.", "-x", explainers / case))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("name", value) for value in (5, None, [])],
        *[("encoder", value) for value in (5, {}, {"name": 5}, None)],
        *[("sae", value) for value in (5, {}, {"k": [1]}, {"k": 1.5}, {"k": True})],
        *[("internalizers", value) for value in (5, {"qa": 5}, {"qa": {"form": 5}}, {"../x": {"form": "paper"}}, None)],
        *[("files", value) for value in (5, {"sae.safetensors": 5}, None, [])],
        *[("made_from", value) for value in ([], "x", None)],
    ],
)
def test_fields_of_a_wrong_kind_are_refused(explainers: Path, tmp_path: Path, field: str, value: object) -> None:
    copy = Path(shutil.copytree(explainers / "base", tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(sealed(config | {field: value})))
    refused(run("info", copy))
    refused(run("explain", "tyres", "Check tyres.", "-x", copy))


def test_a_database_with_a_strangers_types_is_refused(made: Path, tmp_path: Path) -> None:
    for column, value in (("title", "x'ff'"), ("start", "'x'"), ("parent", "x'00'"), ("metadata", "'[]'")):
        copy = Path(shutil.copytree(made / "good", tmp_path / column))
        base = sqlite3.connect(next(copy.rglob("documents.sqlite")))
        base.execute(f"UPDATE documents SET {column} = {value}")
        base.commit()
        base.close()
        refused(searched(copy), "documents.sqlite")
