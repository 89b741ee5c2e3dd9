"""A changed document that is cut into chunks: nothing of its old text is found, whatever it was cut into before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import random_explainer
from hypothesis import given, settings
from hypothesis import strategies as st
from index_data import SMALL, write_corpus

from xetrieval.configs import ChunkConfig
from xetrieval.errors import InputError
from xetrieval.index import Built, Corpus, build_index, open_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.build.verify import verify_index

CUT, WHOLE = ChunkConfig(16), ChunkConfig(whole=True)


def sentences(word: str, count: int) -> str:
    return " ".join(f"The {word} number {n} stands in this sentence." for n in range(count))


def put(folder: Path, texts: dict[str, str], chunking: ChunkConfig = CUT) -> Built:
    path = write_corpus(folder.parent / "c.jsonl", [{"_id": name, "text": text} for name, text in texts.items()])
    config = replace(SMALL, adding=(folder / "config.json").is_file())
    return build_index(Corpus((path,), chunking), random_explainer(), folder, config)


def found(folder: Path) -> list[str]:
    index = open_index(folder)
    return [hit.document.text for hit in index.search("anything at all", len(index) + 5)]


def test_fewer_pieces_leave_none_of_the_old_ones(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    assert put(folder, {"a": sentences("old", 9), "b": sentences("other", 2)}).added == 11
    same_start = sentences("old", 3)
    built = put(folder, {"a": same_start})
    assert built[:6] == (0, 0, 3, 6, 5, 0)  # nothing new, and six chunks went
    assert sum("old" in text for text in found(folder)) == 3
    assert put(folder, {"a": same_start})[:7] == (0, 0, 3, 0, 5, 0, "the dictionary of the index")
    assert put(folder, {"a": sentences("new", 5)})[:7] == (2, 3, 0, 0, 7, 0, "the dictionary of the index")
    assert not any("old" in text for text in found(folder))
    verify_index(folder)


@pytest.mark.parametrize("first", [WHOLE, CUT])
def test_a_whole_becomes_pieces_and_pieces_a_whole(tmp_path: Path, first: ChunkConfig) -> None:
    folder = tmp_path / "index"
    put(folder, {"a": sentences("old", 4), "b": "Another one."}, first)
    second = CUT if first is WHOLE else WHOLE
    built = put(folder, {"a": sentences("new", 4)}, second)
    assert built.removed == (1 if first is WHOLE else 4)
    assert not any("old" in text for text in found(folder))
    assert len(found(folder)) == (5 if second is CUT else 2)
    index = open_index(folder)
    assert (index.find("a") is None) is (second is CUT)
    assert delete_documents(folder, ["a"]) == 1
    assert put(folder, {"a": sentences("newer", 2)}).added == 2
    assert sum("newer" in text for text in found(folder)) == 2


def test_a_document_that_is_gone_from_the_corpus_stays(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    put(folder, {"a": sentences("kept", 4), "b": "Another one."})
    put(folder, {"b": "Another one, changed."})
    assert sum("kept" in text for text in found(folder)) == 4


def test_an_id_is_of_one_document(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with pytest.raises(InputError, match="duplicate document id 'a#1'"):
        put(folder, {"a": sentences("x", 3), "a#1": "A document of its own."})
    put(folder, {"a": sentences("x", 3)})
    with pytest.raises(InputError, match="taken: the index has a chunk"):
        put(folder, {"a#1": "A document of its own."})
    delete_documents(folder, ["a"])
    put(folder, {"a#1": "A document of its own."})
    with pytest.raises(InputError, match="'a#1' is taken"):
        put(folder, {"a": sentences("x", 3)})
    two = [write_corpus(tmp_path / f"{n}.jsonl", [{"_id": "a", "text": sentences("x", n)}]) for n in (1, 3)]
    with pytest.raises(InputError, match="duplicate document id 'a'"):
        build_index(Corpus(tuple(two), CUT), random_explainer(), tmp_path / "other", SMALL)


STEP = st.tuples(
    st.sampled_from(["put", "put", "put", "delete"]),
    st.dictionaries(
        st.sampled_from("abc"), st.tuples(st.sampled_from(["red", "blue"]), st.integers(1, 4)), min_size=1, max_size=3
    ),
    st.sampled_from([WHOLE, CUT, ChunkConfig(30)]),
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(steps=st.lists(STEP, min_size=2, max_size=4))
def test_after_any_changes_an_index_holds_what_was_put_last(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("any") / "index"
    held: dict[str, tuple[str, ChunkConfig]] = {}
    for what, documents, chunking in steps:
        if what == "put":
            texts = {name: sentences(*given_text) for name, given_text in documents.items()}
            put(folder, texts, chunking)
            held |= {name: (text, chunking) for name, text in texts.items()}
        elif len(held) > len(documents) and set(documents) <= set(held):
            delete_documents(folder, sorted(documents))
            held = {name: text for name, text in held.items() if name not in documents}
    if held:
        wanted = tmp_path_factory.mktemp("wanted") / "index"
        for name, (text, chunking) in held.items():
            put(wanted, {name: text}, chunking)
        assert sorted(found(folder)) == sorted(found(wanted))


@pytest.mark.parametrize("taken", ["a#1", "a#3"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_document_named_like_a_piece_takes_nothing_from_another(tmp_path: Path, taken: str, cut: bool) -> None:
    folder = tmp_path / "index"
    put(folder, {"a": sentences("first", 4)})
    before = found(folder)
    with pytest.raises(InputError, match=f"{taken}' is taken"):
        put(folder, {taken: sentences("second", 4 if cut else 1)})
    assert sorted(found(folder)) == sorted(before)


def test_pieces_named_like_a_document_that_is_cut_take_nothing_from_it(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    put(folder, {"a#1": sentences("first", 4)})
    with pytest.raises(InputError, match="a#1' is taken"):
        put(folder, {"a": sentences("second", 4)})
    assert delete_documents(folder, ["a#1#2"]) == 3
