"""Small slips of input are read as they were meant, or refused with a message that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import random_explainer
from index_data import build_small

from xetrieval.data import Skipped, read_corpora
from xetrieval.data.front_matter import split_front_matter
from xetrieval.errors import InputError


def test_a_key_of_front_matter_is_the_text_that_was_written() -> None:
    page = "---\nNull: a\ntrue: b\n3.10: c\nn:\n  True: 1\n  yes: null\n---\ntext"
    facts = {"Null": "a", "true": "b", "3.10": "c", "n": {"True": 1, "yes": None}}
    assert split_front_matter(page).facts == facts  # were None, True, 3.1
    assert split_front_matter("---\n1: a\n'1': b\n---\ntext").unread  # two keys of one name


def test_a_folder_of_ours_is_not_a_corpus(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 20)
    random_explainer().save(tmp_path / "pages" / "ex")
    for ours, kind in ((folder, "xetrieval-index"), (tmp_path / "pages" / "ex", "xetrieval-explainer")):
        with pytest.raises(InputError, match=f"made by this program .{kind}., not a corpus"):
            read_corpora([ours])
    (tmp_path / "pages" / "a.md").write_text("Bread rises.")
    skipped = Skipped()
    assert [d.id for d in read_corpora([tmp_path / "pages"], skipped)] == ["a.md"]  # not the card of the explainer
    assert "xetrieval-explainer" in skipped.notes[0]


def test_a_table_as_a_spreadsheet_saves_it(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,text\n1,hello\n,\n2,there\n,\n")
    assert [d.id for d in read_corpora([table])] == ["1", "2"]
    table.write_text("id, text\n1,hello\n")
    with pytest.raises(InputError, match="remove the blanks around names"):
        read_corpora([table])


@pytest.mark.parametrize("name", ["c.jsonl.gz", "c.csv.gz", "c.tsv.gz"])
def test_a_file_that_was_never_packed_is_not_called_damaged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"_id": "1", "text": "a"}\n')
    with pytest.raises(InputError, match=r"not packed with gzip; remove \.gz from its name"):
        read_corpora([tmp_path / name])
