"""Documents longer than the encoder reads are cut by its tokens: nothing goes unread, and every span is exact."""

from __future__ import annotations

import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import accepted, run
from conftest import random_explainer
from hypothesis import given, settings
from hypothesis import strategies as st
from index_data import SMALL, write_corpus

from xetrieval.configs import BuildConfig, ChunkConfig
from xetrieval.data import Document, stream_source
from xetrieval.data.chunks import CharacterRuler, Cutter, cut_document, text_chunks
from xetrieval.encoders import FunctionEncoder, HashingEncoder, ruler_of
from xetrieval.errors import InputError
from xetrieval.evaluate.doctor import checkup
from xetrieval.evaluate.suggest import suggest
from xetrieval.index import Corpus, build_index, open_index

WORDS = HashingEncoder(64, max_tokens=40)
PAGE = """# Coffee

Grind the beans. Boil the water, then wait a minute. Pour slowly.

## Beans

Arabica grows high up in the mountains and tastes of fruit. Robusta grows low and is bitter.

```sh
brew --beans arabica

brew --beans robusta
```

| bean | taste |
|---|---|
| arabica | fruit |
"""


def tokens(text: str) -> int:
    return len(WORDS.token_starts([text])[0])


def document(text: str, title: str = "") -> Document:
    return Document("a", f"{title}\n{text}" if title else text, text, "a", {"title": title})


def chunks(text: str, room: int = 40, overlap: int = 0, title: str = "") -> list[str]:
    ruler = ruler_of(WORDS, ChunkConfig(room))
    return [one.body for one in cut_document(document(text, title), ruler, overlap)]


def test_a_chunk_ends_before_a_heading_or_after_a_paragraph_and_code_stays_whole() -> None:
    found = chunks(PAGE, 30)
    assert found[0].endswith("Pour slowly.")
    assert found[1].startswith("## Beans\n\nArabica")
    assert any("```sh\nbrew --beans arabica\n\nbrew --beans robusta\n```" in one for one in found)
    assert max(map(tokens, found)) <= 30
    assert "".join("".join(found).split()) == "".join(PAGE.split())


def test_a_wrapped_line_is_not_the_end_of_a_sentence() -> None:
    text = "One two three four five six seven eight.\nNine ten eleven twelve\nthirteen fourteen fifteen sixteen."
    assert chunks(text, 17) == ["One two three four five six seven eight.", text[41:]]


def test_a_document_that_fits_stays_whole_and_an_id_names_each_chunk() -> None:
    ruler = ruler_of(WORDS)
    short = document("Just a word.", "Title")
    assert list(cut_document(short, ruler)) == [short]
    long = document("This is a sentence of eight words here. " * 12, "Title")
    found = list(cut_document(long, ruler))
    assert [one.id for one in found] == [f"a#{n}" for n in range(1, len(found) + 1)]
    for one in found:
        assert one.text == f"Title\n{one.body}"
        assert tokens(one.text) <= 40
        assert one.chunk is not None
        assert long.body[one.chunk.start : one.chunk.end] == one.body


def test_a_long_title_goes_before_each_chunk_whole() -> None:
    title = "A title of very many words, that is longer than those of pages, and counts as well. " * 2
    whole = document("This is a sentence of eight words here. " * 20, title.strip())
    found = list(cut_document(whole, ruler_of(HashingEncoder(64, max_tokens=200))))
    assert len(found) == 2  # with a shorter title one would be enough, and its end would go unread
    assert all(one.text.startswith(title.strip()) and tokens(one.text) <= 200 for one in found)


def test_overlap_is_whole_sentences() -> None:
    sentences = [f"This is sentence {n:03d}, of nine words altogether." for n in range(50)]
    found = chunks(" ".join(sentences), 40, 1)
    for before, after in pairwise(found):
        assert before.endswith(after[: after.index(".") + 1])
    plain = chunks(" ".join(sentences), 40)
    assert " ".join(plain) == " ".join(sentences)
    assert len(found) > len(plain)
    whole = chunks(" ".join(sentences), 40, 100)  # more overlap than there is room for: still a step each time
    assert whole[-1].endswith(sentences[-1])


def test_a_sentence_that_is_too_long_is_cut_between_words_and_a_word_within() -> None:
    found = chunks("word " * 100, 16)
    assert {tokens(one) for one in found[:-1]} == {16}
    assert [one.strip() for one in found] == found
    ruler = CharacterRuler(100)
    assert text_chunks("x" * 1000, ruler) == [(0, 300), (300, 600), (600, 900), (900, 1000)]
    assert text_chunks("", ruler) == [(0, 0)]


@settings(deadline=None, max_examples=60)
@given(st.text("ab .?\n#`-|1", max_size=400), st.integers(16, 40), st.integers(0, 2), st.sampled_from(["", "A title"]))
def test_whatever_the_text_nothing_is_lost_and_everything_is_read(
    text: str, room: int, overlap: int, title: str
) -> None:
    whole = document(text.strip() or "x", title)
    found = list(cut_document(whole, ruler_of(WORDS, ChunkConfig(room)), overlap))
    if len(found) > 1:
        covered = np.zeros(len(whole.body), bool)
        for one in found:
            assert one.chunk is not None
            assert whole.body[one.chunk.start : one.chunk.end] == one.body
            covered[one.chunk.start : one.chunk.end] = True
            assert tokens(one.text) <= room
        assert not "".join(c for c, seen in zip(whole.body, covered, strict=True) if not seen).strip()


def test_a_corpus_is_measured_once_and_a_copy_needs_no_ruler() -> None:
    class Counting(HashingEncoder):
        calls = 0

        def token_starts(self, texts: Any) -> Any:
            self.calls += len(texts)
            return super().token_starts(texts)

    encoder = Counting(64, max_tokens=40)
    documents = [document(f"Sentence {n} of a document. " * (n % 30))._replace(id=str(n)) for n in range(1, 200)]
    cutter = Cutter(ruler_of(encoder))
    first = list(cutter.cut(documents))
    calls = encoder.calls
    copy = pickle.loads(pickle.dumps(cutter))
    assert list(cutter.cut(documents)) == list(copy.cut(documents)) == first
    assert encoder.calls == calls
    assert len(first) > len(documents)
    changed = [*documents[:150], document("Another one."), *documents[150:]]
    assert [one.id for one in cutter.cut(changed)][-1] == first[-1].id
    with pytest.raises(InputError, match="changed during the build"):
        list(copy.cut(changed))


def test_offsets_are_those_of_the_text_as_it_was_written(tmp_path: Path) -> None:
    text = "\n\n  " + "A sentence of six words here. " * 20
    path = write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "title": "T", "text": text}])
    for one in Cutter(ruler_of(WORDS)).cut(stream_source(path)):
        assert one.chunk is not None
        assert text[one.chunk.start : one.chunk.end] == one.body


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet", "folder"])
def test_an_index_reads_all_text_whatever_file_it_is_in(tmp_path: Path, ending: str) -> None:
    text = " ".join(f"Sentence {n} says something about coffee." for n in range(100))
    source = tmp_path / f"c.{ending}"
    if ending == "jsonl":
        write_corpus(source, [{"_id": "long", "text": text}, {"_id": "short", "text": "Tea."}])
    elif ending == "csv":
        source.write_text(f'id,text\nlong,"{text}"\nshort,Tea.\n')
    elif ending == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"id": ["long", "short"], "text": [text, "Tea."]}), source)
    else:
        source.mkdir()
        (source / "long").with_suffix(".txt").write_text(text)
        (source / "short.txt").write_text("Tea.")
    built = build_index(Corpus((source,)), random_explainer(), tmp_path / "index", SMALL)
    index = open_index(tmp_path / "index")
    name, count = ("long.txt", 4) if ending == "folder" else ("long", 3)  # a page's title is put before each
    assert built.cut == f"1 document was longer than 256 tokens: cut into {count} chunks"
    assert (built.documents, built.unread) == (count + 1, 0)
    found = [index.document(index.row_of(f"{name}#{n}")) for n in range(1, count + 1)]
    assert all(one.text.endswith(text[one.start : one.end]) for one in found)
    assert all(one.read.unread == 0 for one in found)
    read = index.read_totals()
    assert read is not None
    assert (read.counted, read.unread, read.longer) == (count + 1, 0, 0)


def test_without_chunks_what_is_not_read_is_counted(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "text": "word " * 300}, {"_id": "b", "text": "word"}])
    built = build_index(Corpus((path,), ChunkConfig(whole=True)), random_explainer(), tmp_path / "index", SMALL)
    assert (built.documents, built.cut, built.unread, built.longer) == (2, "", 44, 1)
    read = open_index(tmp_path / "index").read_totals()
    assert read is not None
    assert (read.tokens, read.unread, read.longer) == (257, 44, 1)


def test_an_addition_is_cut_as_the_index_was_and_replaces_every_chunk(tmp_path: Path) -> None:
    folder, path = tmp_path / "index", tmp_path / "c.jsonl"
    write_corpus(path, [{"_id": "a", "text": "An old sentence of seven words. " * 20}])
    assert build_index(Corpus((path,), ChunkConfig(16)), random_explainer(), folder, SMALL).documents == 10
    write_corpus(path, [{"_id": "a", "text": "A new sentence of seven words. " * 4}])
    built = build_index(Corpus((path,)), random_explainer(), folder, BuildConfig(adding=True))
    assert (built.updated, built.removed, built.documents) == (2, 8, 2)
    assert all("new" in hit.document.text for hit in open_index(folder).search("anything", 9))


def test_an_encoder_without_a_tokenizer_is_said_to_count_characters(tmp_path: Path) -> None:
    encoder = FunctionEncoder(lambda texts: np.ones((len(texts), 4)), name="mine", version="1")
    ruler = ruler_of(encoder)
    assert ruler.room == 512
    assert ruler.limit == "1,536 characters (about 512 tokens; this encoder does not show its tokens)"
    assert ruler_of(encoder, ChunkConfig(100)).room == 100
    assert ruler_of(WORDS, ChunkConfig(1000)).room == 40  # never more than the encoder reads


@pytest.mark.slow
def test_build_and_info_say_what_was_cut_and_what_went_unread(tmp_path: Path) -> None:
    random_explainer().save(tmp_path / "toy")
    rows = [{"_id": "a", "text": "A sentence of six words here. " * 60}, {"_id": "b", "text": "Tea."}]
    corpus = write_corpus(tmp_path / "c.jsonl", rows)
    build = ("index", "build", corpus, "-x", tmp_path / "toy", "--no-cache", "--output")
    done = accepted(run(*build, tmp_path / "one"))
    assert "1 document was longer than 256 tokens: cut into 2 chunks" in done.stderr
    assert "nothing: the encoder read all 422 tokens" in " ".join(run("index", "info", tmp_path / "one").stdout.split())
    assert run("index", "report", tmp_path / "one").stdout.startswith("3 documents; ")
    done = accepted(run(*build, tmp_path / "two", "--no-chunks"))
    assert "164 tokens at the end of 1 documents were not read" in done.stderr
    told = " ".join(run("index", "info", tmp_path / "two").stdout.split())
    assert "164 tokens (38.9%), at the end of 1 documents longer than the encoder reads" in told
    record = json.loads(run("index", "report", tmp_path / "two", "--format", "json").stdout)
    assert (record["read"]["tokens"], record["read"]["unread"]) == (258, 164)


def test_judgments_are_of_documents_however_these_were_cut(tmp_path: Path) -> None:
    rows = [
        {"_id": f"d{n}", "text": " ".join(f"Sentence{n} number{m} says thing{n}x{m} clearly." for m in range(30))}
        for n in range(12)
    ]
    folder = tmp_path / "index"
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),), ChunkConfig(30))
    assert build_index(corpus, random_explainer(), folder, SMALL).documents == 12 * 6
    index = open_index(folder)
    queries = [f"sentence{n} number20 thing{n}x20" for n in range(12)]
    judged = [{f"d{n}": 1} for n in range(12)]
    found = checkup(index, queries, judged)
    assert (found.judged, found.failed) == (12, 0)
    assert suggest(index, queries, judged).ndcg10 == 100.0
    by_chunk = [{f"d{n}#5": 1} for n in range(12)]  # a click is on a chunk
    assert suggest(index, queries, by_chunk).ndcg10 == 100.0
    assert suggest(index, queries, judged, own=["d0", *[None] * 11]).ndcg10 == pytest.approx(100 * 11 / 12, abs=0.01)
    assert index.documents_of(index.rows_of("d3")) == ["d3"]
