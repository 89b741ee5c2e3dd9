"""Table 1, written texts: views that networks predict, compared with texts that a teacher wrote (chain of thought).

Ranks only the posts that a teacher wrote about, for the questions they answer: by embeddings of the texts, and by
internalizers trained without the post's thread. These posts are few and similar to each other.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from paper.kit.benchmarks import benchmark_of_pairs
from paper.kit.figures import draw_views
from paper.kit.folds import cross_fitted_views, learn_in_folds
from paper.kit.tables import views_table
from paper.setting import Setting
from paper.table1 import FORMS, how
from xetrieval.evaluate import ViewSystem, benchmark_vectors, compare_views, taught
from xetrieval.evaluate.views import restricted


def run(setting: Setting) -> list[dict[str, Any]]:
    """One record per system and encoder."""
    facts, step = setting.config["taught"], setting.step("table1_written")
    lessons, documents = setting.lessons([step["teacher"]]), setting.corpus([facts["corpus"]])
    whole = benchmark_of_pairs("posts with written texts", documents, Path(setting.data(facts["pairs"])))
    sources = {lesson.source for lesson in lessons}
    posts = restricted(whole, {document.id for document in documents if document.text in sources})
    records = []
    for name in setting.config["encoders"]:
        encoder = setting.encoder(name)
        part = taught(posts, lessons, encoder)
        vectors = benchmark_vectors(part.benchmark, encoder)
        systems = [ViewSystem({"system": "cot", "form": None, "teacher": step["teacher"]}, part.views)]
        for form in FORMS:
            folds = learn_in_folds(lessons, encoder, how(setting, form), step["folds"])
            place = [folds.of_source[document.text] for document in part.benchmark.documents]
            views = cross_fitted_views(folds.internalizers, place, vectors.documents)
            system = {"system": "internalizer", "form": form, "teacher": f"{step['teacher']}, other threads"}
            systems.append(ViewSystem(system, views))
        found = compare_views(part.benchmark, vectors, systems, name)
        records += [{"part": f"{len(part.benchmark.documents)} posts", **asdict(record)} for record in found]
    return records


def draw(result: list[dict[str, Any]], path: Path) -> None:
    """Change of NDCG@10 by encoder and system."""
    draw_views(result, path)


def table(result: list[dict[str, Any]]) -> str:
    """As Markdown."""
    return views_table(result)
