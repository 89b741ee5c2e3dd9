"""The words of documents in an index: stored by the build, shown beside the query's without encoding a document."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, unit
from index_data import ADDING, SMALL, build_small, content, records, write_corpus

from xetrieval.arrays import Float32
from xetrieval.cli.app import app
from xetrieval.encoders import CachedEncoder, FunctionEncoder, HashingEncoder, Role, TokenVectors, read_showing
from xetrieval.encoders.minilm import minilm, packaged
from xetrieval.errors import DamagedError
from xetrieval.explain.word_states import KEPT, word_states, words_at
from xetrieval.files import digest_of
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.index.ask.answer import search_answer
from xetrieval.index.ask.why import why
from xetrieval.index.build import writer
from xetrieval.index.build.compact import compact_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.build.verify import verify_index
from xetrieval.index.search.mode import SearchOptions
from xetrieval.index.search.ranking import prepare, search
from xetrieval.render.text import plain_text
from xetrieval.steer import SteeringProfile

QUERY = "word3 word7 word11 word19"
ONE = records(1)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("words"), 100)


def corpus(path: Path, count: int, seed: int = 0, prefix: str = "d") -> Corpus:
    return Corpus((write_corpus(path, [{**one, "_id": f"{prefix}{i}"} for i, one in enumerate(records(count, seed))]),))


def test_the_build_stores_the_words_that_carry_each_feature(folder: Path) -> None:
    index = open_index(folder)
    encoder, w = HashingEncoder(64), index.explainer.sae.directions
    for row in (0, 63, 64, 99):
        text, found = index.document(row).text, index.words_of(row)
        features = sorted({j for codes in index.all_codes(np.array([row])) for j in codes.support(0).tolist()})
        assert sorted(found) == features
        assert all(1 <= len(words) <= 3 and all(word in text for word in words) for words in found.values())
        tokens = encoder.token_vectors(text, "document")
        own = w[features]
        parts = np.linalg.solve(own @ own.T + np.eye(len(own)), own @ tokens.vectors.T)
        words = [text[start:end].lower() for start, end in tokens.spans]
        for j, carried in zip(features, parts, strict=True):
            total = {word: sum(c for c, other in zip(carried, words, strict=True) if other == word) for word in words}
            named = {word: total[word] for word in total}
            best = max(named, key=lambda word: named[word])
            assert named[found[j][0].lower()] >= named[best] - 0.02 * abs(carried).max(), "8 bits a number"


def test_hits_show_words_of_both_texts_in_every_mode_without_encoding_a_document(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index(folder)

    def encoded(self: HashingEncoder, texts: list[str], role: Role) -> Float32:
        assert role == "query", "a document was encoded"
        return whole(self, texts, role)

    def read(self: HashingEncoder, text: str, role: Role) -> TokenVectors:
        assert role == "query", "the tokens of a document were read"
        return tokens(self, text, role)

    whole, tokens = HashingEncoder._encode, HashingEncoder.token_vectors
    monkeypatch.setattr(HashingEncoder, "_encode", encoded)
    monkeypatch.setattr(HashingEncoder, "token_vectors", read)
    feature = next(term.feature_id for term in index.search(QUERY, 1)[0].explanation.terms)
    assert feature is not None
    label = replace(index.explainer.features[feature], label="things")
    features = tuple(label if one.feature_id == feature else one for one in index.explainer.features)
    index = index.with_explainer(replace(index.explainer, features=features))
    steer = SteeringProfile({feature: 2.0}, index.explainer.sae.digest)
    for options, query, roles in (
        (SearchOptions(), QUERY, ("document",)),
        (SearchOptions("sparse"), QUERY, ("query", "document")),
        (SearchOptions("hybrid"), QUERY, ("query", "document")),
        (SearchOptions(views={"qa": 0.5}), QUERY, ("query", "document")),
        (SearchOptions(steer=steer), QUERY, ("query", "document")),
        (SearchOptions("concept"), "things", ("document",)),
        (SearchOptions(), index.query_vector(QUERY)[0], ("document",)),
    ):
        found = search(index, query, 10, options)
        assert len(found.hits) == 10
        for hit in found.hits:
            text, stored = hit.document.text, index.words_of(hit.row)
            terms = [term for term in hit.explanation.terms if term.ids]
            assert terms or options.by == "hybrid"
            for term in terms:
                assert term.words is not None
                assert term.words.of_activation == roles, options
                known = stored.get(term.ids[0], ())
                assert set(term.words.document) <= set(known)
                assert bool(term.words.document) == bool(known)
                assert all(word in text for word in term.words.document)
                assert all(word in QUERY for word in term.words.query)
        explained = [hit.explanation for hit in found.hits if hit.explanation.terms]
        beside = [term.words for one in explained for term in one.terms if term.words]
        assert any(words.query for words in beside) == (options.by != "concept" and query is QUERY)
        title = "≈ query ↔ ≈ document" if len(roles) > 1 else "query ↔ ≈ document"
        title = title if any(words.query for words in beside) else "in the ≈ document"
        assert any(title in plain_text(one, top=99, width=160) for one in explained), options
        assert "≈ words that carry the feature's activation" in plain_text(explained[0], top=99, width=160)
        answer = search_answer(found, None, explain=True, top=None).to_dict()
        written = [term["words"] for hit in answer["hits"] for term in hit["explanation"]["terms"] if "words" in term]
        assert all(set(one) - {"shared"} == {"query", "document", "of_activation"} for one in written)
        assert written
    for options in (SearchOptions("sparse"), SearchOptions(steer=steer)):
        prepared = prepare(index, QUERY, options)
        answer = why(index, prepared, search(index, QUERY, 1, options).hits[0].doc_id)
        terms = [term for term in answer.explanation.terms if term.ids]
        assert all(term.words and term.words.of_activation == ("query", "document") for term in terms)
    monkeypatch.undo()
    exact = index.why(QUERY, found.hits[0].doc_id).explanation
    assert all(term.words and not term.words.of_activation for term in exact.terms)
    assert "of_activation" not in exact.to_dict()["terms"][0]["words"]
    assert "≈" not in plain_text(exact)


def test_an_encoder_without_tokens_and_vectors_without_texts_have_no_words_and_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explainer = random_explainer()

    class Blind:
        identity = explainer.encoder_identity

        def encode_query(self, texts: list[str]) -> Float32:
            return explainer.encoder.encode_query(texts)

        encode_document = encode_query

    texts = corpus(tmp_path / "c.jsonl", 20)
    blind = replace(explainer, cache=False).with_encoder(Blind())
    assert not build_index(texts, blind, tmp_path / "blind", SMALL).words
    np.save(tmp_path / "v.npy", unit(20))
    given = Corpus(texts.sources, vectors=tmp_path / "v.npy")
    assert not build_index(given, explainer, tmp_path / "vectors", replace(SMALL, force=True)).words
    assert build_index(texts, explainer, tmp_path / "with", SMALL).words
    assert not build_index(texts, explainer, tmp_path / "without", replace(SMALL, no_words=True)).words
    for name in ("blind", "vectors", "without"):
        index = open_index(tmp_path / name)
        verify_index(tmp_path / name)
        assert not index.words_of(0)
        assert not list((tmp_path / name).rglob("words.*"))
        hit = index.search(QUERY, 1)[0]
        assert "document" not in plain_text(hit.explanation).splitlines()[0]
        app(["index", "info", str(tmp_path / name)], standalone_mode=False)
        assert "not stored: storing them requires texts, an encoder" in " ".join(capsys.readouterr().out.split())
    app(["index", "info", str(tmp_path / "with")], standalone_mode=False)
    assert "words stored" in " ".join(capsys.readouterr().out.split()).replace("words  ", "words ")
    explainer.save(tmp_path / "explainer")
    options = f"--vectors {tmp_path / 'v.npy'} --force -x {tmp_path / 'explainer'} --output {tmp_path / 'cli'}"
    app(["index", "build", str(given.sources[0]), *options.split()], standalone_mode=False)
    assert "words of these documents are not stored" in " ".join(capsys.readouterr().err.split())


def test_words_follow_their_documents_through_additions_deletions_and_compaction(tmp_path: Path) -> None:
    folder, explainer = build_small(tmp_path, 100), random_explainer()
    build_index(corpus(tmp_path / "m.jsonl", 30, 1, "m"), explainer, folder, replace(ADDING, no_words=True))
    build_index(corpus(tmp_path / "n.jsonl", 10, 2, "n"), explainer, folder, ADDING)
    delete_documents(folder, ["d1", "m2", "n3"])
    before = open_index(folder)
    wanted = {name: before.words_of(before.row_of(name)) for name in ("d0", "d99", "m0", "m29", "n0", "n9")}
    compact_index(folder, shard_rows=64)
    verify_index(folder)
    after = open_index(folder)
    assert {name: after.words_of(after.row_of(name)) for name in wanted} == wanted
    assert not wanted["m0"]
    assert wanted["d0"]
    hits = after.search(QUERY, 100)
    assert all(hit.explanation for hit in hits)
    words = {hit.doc_id[0] for hit in hits for term in hit.explanation.terms if term.words and term.words.document}
    assert words == {"d", "n"}


def test_an_index_of_the_last_format_is_read_and_an_older_one_is_refused(tmp_path: Path, folder: Path) -> None:
    build_index(corpus(tmp_path / "c.jsonl", 100), random_explainer(), tmp_path / "i", replace(SMALL, no_words=True))
    path = tmp_path / "i" / "config.json"

    def as_version(number: int) -> None:
        config = json.loads(path.read_text())
        config = {key: value for key, value in config.items() if key not in ("sha256", "files")}
        config["format_version"] = number
        config["sha256"] = digest_of(config)
        path.write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n")

    as_version(2)
    verify_index(tmp_path / "i")
    index = open_index(tmp_path / "i")
    assert [hit.doc_id for hit in index.search(QUERY, 5)] == [hit.doc_id for hit in open_index(folder).search(QUERY, 5)]
    assert not index.words_of(0)
    build_index(corpus(tmp_path / "n.jsonl", 5, 3, "n"), random_explainer(), tmp_path / "i", ADDING)
    verify_index(tmp_path / "i")
    assert json.loads(path.read_text())["format_version"] == 3
    index = open_index(tmp_path / "i")
    assert index.words_of(index.row_of("n1"))
    as_version(1)
    with pytest.raises(DamagedError, match=r"format version 1 is not 3.*build it again with `xetrieval index build`"):
        open_index(tmp_path / "i")


def test_a_build_killed_while_it_seals_a_shard_gives_the_same_index(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, real = corpus(tmp_path / "corpus.jsonl", 100), os.replace
    for dictionary in (None, "corpus"):
        config = replace(SMALL, dictionary=dictionary)
        wanted = tmp_path / f"wanted-{dictionary}"
        monkeypatch.setattr("xetrieval.configs.rule.STEPS", 12)
        build_index(texts, random_explainer(), wanted, config)
        assert open_index(wanted).words_of(5)
        assert not list(wanted.rglob("states.*"))
        for at in ("move", "hash"):
            target = tmp_path / f"killed-{dictionary}-{at}"

            def stop(*given: object) -> None:
                raise KeyboardInterrupt

            if at == "move":
                monkeypatch.setattr(writer, "is_sealed", stop)
                monkeypatch.setattr(writer.os, "replace", real)
            else:
                monkeypatch.setattr(writer, "sha256_of_file", stop)
            with pytest.raises(KeyboardInterrupt):
                build_index(texts, random_explainer(), target, config)
            monkeypatch.undo()
            monkeypatch.setattr("xetrieval.configs.rule.STEPS", 12)
            build_index(texts, random_explainer(), target, config)
            verify_index(target)
            assert content(target) == content(wanted)


def test_damaged_words_are_noticed(tmp_path: Path, folder: Path) -> None:
    for name, message in (("words.places.u32", "the words are incomplete"), ("words.starts.u32", "words.starts.u32")):
        shutil.copytree(folder, tmp_path / name)
        file = next((tmp_path / name).rglob(name))
        file.write_bytes(file.read_bytes()[:-12])
        with pytest.raises(DamagedError, match=message):
            open_index(tmp_path / name)
        with pytest.raises(DamagedError, match=name):
            verify_index(tmp_path / name)
    shutil.copytree(folder, tmp_path / "changed")
    file = next((tmp_path / "changed").rglob("words.features.u16"))
    file.write_bytes(b"\xff\xff" + file.read_bytes()[2:])
    with pytest.raises(DamagedError, match="the words: contains an id outside"):
        open_index(tmp_path / "changed").words_of(0)


def test_vectors_and_words_come_from_one_pass_whatever_is_in_the_cache(tmp_path: Path) -> None:
    passes: list[str] = []

    class Counting(HashingEncoder):
        def _encode(self, texts: list[str], role: Role) -> Float32:
            passes.extend(texts)
            return super()._encode(texts, role)

    shown: dict[str, tuple[TokenVectors, Float32]] = {}
    texts = ["one word", "two words", "one word"]
    for grows in (True, False):
        cache = CachedEncoder(Counting(64), tmp_path / str(grows), grows=grows)
        passes.clear()
        made = read_showing(cache, texts, "document", lambda text, *one: shown.update({text: one}))
        assert sorted(passes) == sorted(set(texts))
        assert set(shown) == set(texts)
        np.testing.assert_allclose(made.vectors, HashingEncoder(64).encode_document(texts), atol=1e-7)
        assert made.counts.tokens.tolist() == [2, 2, 2]
        passes.clear()
        cache.encode_document(texts)
        assert bool(passes) != grows
    for text, (tokens, z) in shown.items():
        assert word_states(text, tokens, z).counts.tolist() == [2]
        assert word_states(text, tokens, -z).counts.tolist() == [0], "not the vector of these tokens"


def test_only_the_words_that_add_most_are_kept() -> None:
    text = " ".join(f"word{i % 90}" for i in range(200)) + " word5" * 20 + " the" * 30
    encoder = HashingEncoder(64)
    found = word_states(text, encoder.token_vectors(text, "document"), encoder.encode_document([text])[0])
    words = words_at(text, found.places.tolist())
    assert len(words) == KEPT == len(set(words))
    assert {"word5", "the"} <= set(words)
    assert [place & 3 for place in found.places.tolist()] == [int(word == "the") for word in words]
    long = "x" * 200
    found = word_states(long, encoder.token_vectors(long, "document"), encoder.encode_document([long])[0])
    assert words_at(long, found.places.tolist()) == ("x" * 31 + "…",)


@pytest.mark.slow
def test_minilm_shows_the_tokens_of_a_batch() -> None:
    pytest.importorskip("sentence_transformers")
    if packaged() is None:
        pytest.skip("the packaged MiniLM is not installed")
    encoder = minilm()
    texts = ["Press Delete account.", "a much longer text about bread, dough and yeast " * 4, "short"]
    shown: dict[str, TokenVectors] = {}
    vectors = encoder.encode_showing(texts, "document", lambda text, tokens, _: shown.update({text: tokens}))
    np.testing.assert_allclose(vectors, encoder.encode_document(texts * 2)[:3], atol=2e-6)
    for text in texts:
        alone = encoder.token_vectors(text, "document")
        assert alone is not None
        assert shown[text].spans == alone.spans
        assert shown[text].kinds == alone.kinds
        np.testing.assert_allclose(shown[text].vectors, alone.vectors, atol=2e-5)


def test_a_function_shows_no_tokens() -> None:
    from xetrieval.encoders import shows_tokens

    assert not shows_tokens(FunctionEncoder(HashingEncoder(64).encode_document, name="f", version="1"))
    assert shows_tokens(HashingEncoder(64))
