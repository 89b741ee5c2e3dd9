"""Small slips of input are read as they were meant, or refused with a message that says what to do."""

from __future__ import annotations

import gzip
import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from cases_data import accepted, refused
from conftest import random_explainer, random_sae, unit
from index_data import build_small, records, write_corpus
from test_cli import run

from xetrieval import configs
from xetrieval.configs import ChunkConfig, FitConfig, SweepConfig, WeightsConfig
from xetrieval.data import Skipped, read_corpora
from xetrieval.data.front_matter import split_front_matter
from xetrieval.data.judgments import read_judgments
from xetrieval.encoders import CachedEncoder, HashingEncoder, open_encoder, probe_facts
from xetrieval.encoders.endpoint import EndpointEncoder
from xetrieval.encoders.function import FunctionEncoder
from xetrieval.errors import InputError, MismatchError
from xetrieval.explain.pairs import PairNames
from xetrieval.features import LabelledFeature
from xetrieval.fitting.metrics import card_metrics
from xetrieval.index import BuildConfig, Corpus, build_index, open_index
from xetrieval.index.ask.answer import search_answer
from xetrieval.index.search.ranking import Found, prepare
from xetrieval.labels.card import feature_card
from xetrieval.labels.worksheet import read_worksheet
from xetrieval.llm.budget import Budget
from xetrieval.remote import Remote
from xetrieval.steer import SteeringProfile
from xetrieval.teachers import read_teacher


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
    with pytest.raises(InputError, match="' text'; remove the spaces around names"):
        read_corpora([table])


@pytest.mark.parametrize("name", ["c.jsonl.gz", "c.csv.gz", "c.tsv.gz"])
def test_a_file_that_was_never_packed_is_not_called_damaged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"_id": "1", "text": "a"}\n')
    with pytest.raises(InputError, match=r"not compressed with gzip; remove \.gz from its name"):
        read_corpora([tmp_path / name])


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 1.5])
def test_a_seed_that_a_generator_cannot_take_is_refused_everywhere(seed: object) -> None:
    kinds = [one for name, one in vars(configs).items() if name.endswith("Config")]
    not_typed = (WeightsConfig, SweepConfig)  # the cells of a sweep are SaeConfigs
    seeded = [kind for kind in kinds if "seed" in {field.name for field in fields(kind)} and kind not in not_typed]
    assert len(seeded) >= 9
    for kind in seeded:
        with pytest.raises(InputError, match="seed"):
            kind(seed=seed)


def test_seeds_on_the_command_line(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 20)
    (tmp_path / "q.jsonl").write_text('{"_id": "q", "text": "word1"}\n')
    names = ("evaluate", "names", folder, "--queries", tmp_path / "q.jsonl", "--sheet", tmp_path / "s.csv")
    refused(run(*names, "--key", tmp_path / "k.csv", "--seed", -1), "seed -1")
    done = run("index", "relearn", folder, "--seed", 2**64)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    refused(run(*names, "--key", tmp_path / "s.csv"), "named twice")
    (tmp_path / "link.csv").symlink_to(tmp_path / "s.csv")
    refused(run(*names, "--key", tmp_path / "link.csv"), "named twice")
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(
    "head", ["corpus-id\tquery-id\tscore", "docno iter topic rel", "doc_id query_id relevance", "score qid docid"]
)
def test_judgments_whose_columns_are_in_another_order_are_refused(tmp_path: Path, head: str) -> None:
    row = ("5\t7\t1" if "\t" in head else "5 7 1") if "iter" not in head else "5 0 7 1"
    (tmp_path / "qrels.tsv").write_text(f"{head}\n{row}\n")
    for skipped in (None, Skipped(bad_rows=True)):  # a header is not a row to leave out
        with pytest.raises(InputError, match="query first, then the document"):
            read_judgments(tmp_path / "qrels.tsv", skipped)
    for name in ("query-id\tcorpus-id\tscore", "qid\tpid\tlabel", "topic\tdocno\trel", "a\tb\tgrade"):
        (tmp_path / "qrels.tsv").write_text(f"{name}\n5\t7\t1\n")
        assert read_judgments(tmp_path / "qrels.tsv") == {"5": {"7": 1}}


@pytest.mark.parametrize("row", ["5\t7\t1\t", "5\t0\t7\t1\t", "5\t7\t", "query-id\tcorpus-id\tscore\t"])
def test_a_tab_at_the_end_of_a_judgment_is_named(tmp_path: Path, row: str) -> None:
    (tmp_path / "qrels.tsv").write_text(f"{row}\n")
    with pytest.raises(InputError, match="line 1: the line ends with a tab, so its last column, the grade, is empty"):
        read_judgments(tmp_path / "qrels.tsv")


def test_options_without_effect_are_refused_or_said_to_have_none(tmp_path: Path) -> None:
    random_explainer().save(tmp_path / "ex")
    corpus = write_corpus(tmp_path / "c.jsonl", records(40))
    build = ("index", "build", corpus, "-x", tmp_path / "ex", "--output", tmp_path / "ix")
    done = accepted(run(*build, "--price", 3, "--seed", 7, "--chunk-overlap", 1))
    for words in (
        "--price has no effect: the encoder is not a paid endpoint",
        "--seed had no effect: no dictionary was learned",
        "--chunk-overlap had no effect: no document was cut",
    ):
        assert words in done.stderr
    np.save(tmp_path / "v.npy", unit(40))
    refused(run(*build, "--vectors", tmp_path / "v.npy", "--price", 3), "--vectors and --price cannot be combined")
    refused(run("index", "build", "-", "-", *build[3:]), "standard input is named twice")
    refused(run("index", "build", "-", "/dev/stdin", *build[3:]), "standard input is named twice")
    refused(run("search", tmp_path / "ix", "word1", "--view", "qa"), "give VIEW=WEIGHT")


def test_pairs_to_learn_from_whose_columns_are_in_another_order_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"_id": "q", "text": "why"}\n{"_id": "a", "text": "because"}\n')
    (tmp_path / "pairs.tsv").write_text("answer-id\tquestion-id\na\tq\n")
    with pytest.raises(InputError, match="the query first"):
        read_teacher(str(tmp_path / "pairs.tsv"), read_corpora([tmp_path / "c.jsonl"]))


def test_bad_rows_of_a_context_can_be_left_out(tmp_path: Path) -> None:
    rows = [json.dumps({"_id": f"d{n}", "text": f"word{n} word{n % 7} sea"}) for n in range(60)]
    (tmp_path / "c.jsonl").write_text("\n".join([*rows, "{bad"]))
    random_explainer().save(tmp_path / "ex")
    call = ("explain", "word1", "word2", "-x", tmp_path / "ex", "--context", tmp_path / "c.jsonl")
    refused(run(*call), "--skip-bad")
    assert "1 row was left out" in accepted(run(*call, "--skip-bad")).stderr
    refused(run("explain", "a", "b", "--skip-bad"), "--skip-bad needs --input or --context")


def test_a_card_is_not_searched(tmp_path: Path) -> None:
    random_explainer().save(tmp_path / "ex")
    for more in (("--id", 0, "--search", "x"), ("--id", 0, "--family", 7), ("--search", "x", "--family", 7)):
        refused(run("features", tmp_path / "ex", *more), "cannot be combined")


def test_a_hit_is_not_both_good_and_bad(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 20)
    first = open_index(folder).search("word1")[0].doc_id
    call = ("search", folder, "word1", "--overview", "--good", first, "--bad", first)
    refused(run(*call), "cannot be both good and bad")


def test_only_whole_paths_are_taken_out_of_messages(tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
    from xetrieval.serve.messages import plain

    opened = open_index(build_small(tmp_path, 20))
    opened.folder = Path("e")
    assert (
        plain("no index 'nope' here; the indexes are: e", {"e": opened}) == "no index 'nope' here; the indexes are: e"
    )
    opened.folder = Path("a/IX")
    words = "a/IX: damaged; a/IXC and ba/IX are not; a/IX/config.json"
    assert plain(words, {"n": opened}) == "index n: damaged; a/IXC and ba/IX are not; index n/config.json"


def test_a_refused_model_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    """Only documents were encoded; a different function under the same name must not take the file of queries."""

    def named(seed: int) -> FunctionEncoder:
        matrix = np.random.default_rng(seed).standard_normal((64, 16))
        return FunctionEncoder(lambda texts: HashingEncoder(64).encode_document(texts) @ matrix, name="a", version="1")

    CachedEncoder(named(1), tmp_path).encode_document(["a text"])
    for _ in range(2):
        with pytest.raises(MismatchError, match="differ from those in the cache"):
            CachedEncoder(named(2), tmp_path).encode_query(["a query"])
    assert CachedEncoder(named(1), tmp_path).encode_query(["a query"]).shape == (1, 16)


def test_a_changed_function_under_the_same_name_is_refused_without_the_cache_of_the_fit() -> None:
    def named(seed: int) -> FunctionEncoder:
        matrix = np.random.default_rng(seed).standard_normal((64, 64))
        return FunctionEncoder(lambda texts: HashingEncoder(64).encode_document(texts) @ matrix, name="a", version="1")

    fitted = replace(
        random_explainer(),
        encoder_identity=named(1).identity,
        provenance=probe_facts(named(1)),
    )
    assert fitted.with_encoder(named(1)).encoder.identity == named(1).identity
    with pytest.raises(MismatchError, match="gives different vectors from when explainer toy was fitted"):
        fitted.with_encoder(named(2))


@pytest.mark.parametrize("by", ["bm25", "hybrid"])
def test_an_index_without_words_is_not_searched_by_them(tmp_path: Path, by: str) -> None:
    rows = [{"_id": f"s{n}", "text": text} for n, text in enumerate(["!!!", "a", "I 🚀"])]
    build_index(Corpus((write_corpus(tmp_path / "c.jsonl", rows),)), random_explainer(), tmp_path / "index")
    refused(run("search", tmp_path / "index", "kidney", "--by", by), "rank by dense")


def test_numbers_of_an_endpoint_may_be_large(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"data": [{"index": 0, "embedding": [3e300, 4e300]}]}
    monkeypatch.setattr(Remote, "post", lambda *_, **__: answer)
    assert EndpointEncoder("http://127.0.0.1:9/v1", "m").probe == pytest.approx([0.6, 0.8])


def test_a_file_packed_twice_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(gzip.compress(b"id,text\n1,a\n")))
    with pytest.raises(InputError, match="decompressed, the file is compressed with gzip"):
        read_corpora([tmp_path / "c.csv.gz"])


def test_an_empty_value_of_a_filter_is_shown(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 20)
    refused(run("search", folder, "word1", "--filter", "n="), 'its values are numbers; "" is of a different kind')


def test_a_lost_feature_is_not_steered() -> None:
    sae = random_sae()
    sae = replace(sae, encoder_weight=np.where(np.arange(128)[:, None] == 3, np.float32(0), sae.encoder_weight))
    with pytest.raises(InputError, match="feature 3 was removed, or lost when"):
        SteeringProfile({}, sae.digest).with_factors(["3=0"], [LabelledFeature(i, None) for i in range(9)]).check(sae)


def test_a_few_held_out_rows_have_no_variance_to_report() -> None:
    rows = unit(40)[:, None].astype(np.float16)
    for held, reported in ((2, False), (20, True)):
        metrics = card_metrics(random_sae(), rows, np.arange(40) < held)
        assert ("fvu" in metrics["original"]) is reported
        assert "cosine" in metrics["original"]


def test_prices_are_finite(tmp_path: Path) -> None:
    for price in ("inf", "1e308"):
        done = run(
            "fit", tmp_path, "--encoder", "http://127.0.0.1:9/v1#m", "--output", tmp_path / "x", "--price", price
        )
        assert done.returncode == 2
        assert "--price" in done.stderr
    with pytest.raises(InputError, match="finite numbers"):
        Budget(prompt_price=float("inf"))


def test_an_index_without_texts_has_no_examples_and_no_pairs_to_judge(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", unit(40))
    random_explainer().save(tmp_path / "ex")
    (tmp_path / "q.jsonl").write_text('{"_id": "q", "text": "word1"}\n')
    ix = tmp_path / "ix"
    accepted(run("index", "build", "--vectors", tmp_path / "v.npy", "-x", tmp_path / "ex", "--output", ix))
    names = ("evaluate", "names", ix, "--queries", tmp_path / "q.jsonl", "--sheet", tmp_path / "s.csv")
    refused(run(*names, "--key", tmp_path / "k.csv"), "no pair of a query and a document with a text")
    assert not (tmp_path / "k.csv").exists()
    for call in (
        ("label", "export", ix, "--output", tmp_path / "w.csv"),
        ("label", "keyphrase", ix),
        ("label", "score", ix, "--judge", "hashing:128"),
    ):
        refused(run(*call), "without texts there are no examples")


def test_values_of_another_type_are_refused_in_python(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose one of"):
        open_index(build_small(tmp_path, 20)).search("word1", by=["dense"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no_words 'no': give True or False"):
        BuildConfig(no_words="no")  # type: ignore[arg-type]


def test_every_public_object_has_a_short_repr(tmp_path: Path) -> None:
    long = "word1 word2 " * 60
    rows = [{**row, "_id": f"{'i' * 300}{n}", "title": long, "text": long} for n, row in enumerate(records(20))]
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),))
    toy = random_explainer()
    toy = replace(toy, features=tuple(replace(one, label=(one.label or "") + long) for one in toy.features))
    build_index(corpus, toy, tmp_path / "index")
    index = open_index(tmp_path / "index")
    hit, pairs = index.search("word1 word2")[0], index.explainer.explain_pairs([long], [long])
    first, second = (one.doc_id for one in index.search("word1", 2))
    evidence = index.explainer.with_evidence(index.explainer.explain("word1", "word1 word2"), 3)
    why = index.why("word1", first, second, counterfactual=True)
    met, wide = set[type](), set[str]()
    queue: list[object] = [index, hit, hit.explanation, pairs, evidence, why]
    queue += [index.why("word1", first, k=5, counterfactual=True), index.document(0), index.explainer, index.manifest]
    queue += [corpus, read_corpora(corpus.sources)[0], BuildConfig(), FitConfig(features=8, l0=2, notes=long)]
    queue += [SteeringProfile({3: 1.0}, toy.sae.digest, long), feature_card(3, toy.sae, toy.features)]
    queue.append(search_answer(Found([hit], prepare(index, long[:900]), ""), None, explain=True, top=3))
    while queue:
        one = queue.pop()
        inner = list(one[:20]) if isinstance(one, tuple | list) else list(one.values()) if isinstance(one, dict) else []
        if is_dataclass(one) or hasattr(one, "_fields"):
            wide |= {type(one).__name__} if len(repr(one)) >= 200 else set()
            if type(one) not in met or not inner:
                inner += [getattr(one, field.name) for field in (fields(one) if is_dataclass(one) else ())]
            met.add(type(one))
        queue += [part for part in inner if not isinstance(part, str | int | float | np.ndarray | type(None))]
    wanted = {"Term", "Feature", "Swap", "Manifest", "Corpus", "FitConfig", "Document", "Explanation", "RankChange"}
    assert wanted <= {one.__name__ for one in met}
    assert not wide


def test_names_of_pairs_are_one_for_each_pair() -> None:
    explainer = random_explainer()
    for names in ("x", {"query_ids": ["q"]}):
        with pytest.raises(InputError, match="give PairNames"):
            explainer.explain_pairs(["a"], ["b"], names)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="query_ids: 1 ids for 2 pairs"):
        explainer.explain_vectors(unit(2), unit(2), PairNames(["1"]))


def test_a_function_returns_one_vector_for_each_text() -> None:
    with pytest.raises(MismatchError, match=r"\[3, 4\] for 1 texts, expected \[1, 4\]"):
        open_encoder(lambda texts: np.ones((3, 4)), name="a", version="1")
    encoder = open_encoder(lambda texts: np.ones((len(texts), 3 + len(texts))), name="a", version="1")
    with pytest.raises(MismatchError, match=r"\[2, 5\] for 2 texts, expected \[2, 4\]"):
        encoder.encode_query(["a", "b"])
    with pytest.raises(MismatchError, match=r"function returned .*\[4, 1\] for 1 texts, expected \[1, m\]: a row each"):
        open_encoder(lambda texts: np.eye(4)[:, : len(texts)])  # transposed
    with pytest.raises(InputError, match="function returned one number for each text; give vectors of two or more"):
        open_encoder(lambda texts: np.ones((len(texts), 1)))


def test_the_id_of_a_document_that_was_cut_names_its_chunks(tmp_path: Path) -> None:
    rows = [{"_id": f"d{n}", "text": " ".join(f"word{i}" for i in range(80))} for n in range(5)]
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),), ChunkConfig(16))
    build_index(corpus, random_explainer(), tmp_path / "index")
    refused(run("why", tmp_path / "index", "word1", "d2"), "'d2' was cut into", "chunks; give one of them, e.g. 'd2#1'")
    refused(run("why", tmp_path / "index", "word1", "d9"), "no document 'd9'")


def test_budgets_are_refused_where_no_language_model_is_asked(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 40)
    (tmp_path / "q.jsonl").write_text('{"_id": "q", "text": "word1"}\n')
    score = ("label", "score", folder, "--judge", "hashing:128")
    names = ("evaluate", "names", folder, "--queries", tmp_path / "q.jsonl", "--sheet", tmp_path / "s", "--key", "k")
    for more in (("--price", "a,b"), ("--budget-requests", 0)):
        refused(run(*score, *more), str(more[0]), "applies only to --llm")
        refused(run(*names, *more), str(more[0]), "applies only to --llm")
    refused(run(*score, "--scores", "detection,detection"), "each once")


def test_a_corpus_unlike_the_features_is_not_called_foreign_vectors(tmp_path: Path) -> None:
    toy, card = random_explainer(), {"original": {"cosine": 0.99, "fvu": 0.2}}
    explainer = replace(toy, sae=random_sae(16, k=3), features=toy.features[:16], metrics=card)
    build_index(Corpus((write_corpus(tmp_path / "c.jsonl", records(40)),)), explainer, tmp_path / "texts")
    np.save(tmp_path / "v.npy", unit(40))
    explainer.save(tmp_path / "ex")
    alone = ("--vectors", tmp_path / "v.npy", "-x", tmp_path / "ex", "--output", tmp_path / "vectors")
    accepted(run("index", "build", *alone, "--force"))
    assert "not from hashing:64" not in accepted(run("doctor", tmp_path / "texts")).stdout.replace("\n", " ")
    assert "not from" in accepted(run("doctor", tmp_path / "vectors")).stdout.replace("\n", " ")


def test_advice_names_options_that_the_command_has(tmp_path: Path) -> None:
    random_sae(16, 64, 2).save(tmp_path / "sae")
    np.save(tmp_path / "v.npy", np.concatenate([unit(20), np.zeros((1, 64))]).astype(np.float32))
    message = refused(run("sae", "evaluate", tmp_path / "sae", "--vectors", tmp_path / "v.npy"), "fix or remove them")
    assert "--bad-rows" not in message
    train = ("sae", "train", tmp_path / "v.npy", "--output", tmp_path / "x", "-F", 16, "--l0", 2)
    refused(run(*train), "--bad-rows drop")


def test_an_explanation_without_names_leaves_nothing_to_judge(tmp_path: Path) -> None:
    toy = random_explainer()
    bare = replace(toy, features=tuple(replace(one, label=None, source=None) for one in toy.features))
    build_index(Corpus((write_corpus(tmp_path / "c.jsonl", records(20)),)), bare, tmp_path / "index")
    (tmp_path / "q.jsonl").write_text('{"_id": "q", "text": "word1"}\n')
    names = ("evaluate", "names", tmp_path / "index", "--queries", tmp_path / "q.jsonl")
    done = accepted(run(*names, "--sheet", tmp_path / "s.csv", "--key", tmp_path / "k.csv", "--decoys", 0))
    assert "nothing to judge" in done.stderr


def test_a_blank_row_of_a_worksheet_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("feature,sae,label\n3,abc,salt water\n,,\n4,abc,bread\n,,\n")
    assert read_worksheet(tmp_path / "w.csv", "abc", 9) == {3: "salt water", 4: "bread"}


def test_ids_of_documents_are_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ids of documents are text"):
        open_index(build_small(tmp_path, 20)).why("word1", 5)  # type: ignore[arg-type]
