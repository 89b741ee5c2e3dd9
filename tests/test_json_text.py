"""One reader for all JSON that is not ours."""

from __future__ import annotations

import pytest

from xetrieval.errors import DamagedError, InputError
from xetrieval.files import is_whole, parse_json, read_json


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": ' + b"9" * 5000 + b"}", "thousands of digits"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "duplicate name 'c'"),
        (b'{"a": "\\ud800"}', "half a character"),
        (b'{"\\uDC00": 1}', "half a character"),
        (b"\xff{}", "not UTF-8 (byte 1)"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1', "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_what_is_no_usable_json_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_json(content)
    assert words in str(refusal.value)
    assert len(str(refusal.value)) < 200


def test_what_is_json_is_read() -> None:
    assert parse_json('\ufeff{"a": "\\ud83d\\ude42 é"}'.encode()) == {"a": "🙂 é"}
    assert parse_json('{"a": [NaN, Infinity, 1.5]}', nan="null") == {"a": [None, None, 1.5]}


def test_a_file_that_is_no_json_is_named(tmp_path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[" * 100_000)
    with pytest.raises(DamagedError, match=r"x\.json: not"):
        read_json(path)
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "y.json")


@pytest.mark.parametrize(
    ("text", "whole"), [("", True), ("salt 盐 \U0001f9c2", True), ("a\ud83d", False), ("\udc00b", False)]
)
def test_a_text_with_half_a_character_is_not_whole(text: str, whole: bool) -> None:
    assert is_whole(text) is whole
