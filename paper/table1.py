"""Table 1, by teacher: do views improve retrieval? (paper, section 5)

For every encoder and set: the encoder alone, and views by the internalizers of each teacher, in the paper's form and in
the residual form, added up; the residual form also with weights learned on other queries. Where a teacher wrote about
the documents of a set, the written texts too (chain of thought).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paper.kit.figures import draw_views
from paper.kit.tables import views_table
from paper.setting import Setting
from xetrieval.configs import InternalizerConfig
from xetrieval.evaluate import ViewSystem, compare_views, internalized, taught
from xetrieval.fitting.internalizers import learn
from xetrieval.teachers import read_teacher

FORMS = ("paper", "residual")


def run(setting: Setting) -> list[dict[str, Any]]:
    """One record per system, set and encoder; differences from the encoder alone, with intervals and p values."""
    records = []
    for name, teachers in setting.step("table1")["teachers"].items():
        encoder = setting.encoder(name)
        nets = [(" + ".join(t), form, learn(setting.lessons(t), encoder, how(setting, form)).internalizers)
                for t in teachers for form in FORMS]  # fmt: skip
        for benchmark, vectors in setting.sets(name):
            systems = list(of_networks(nets, vectors.documents)) + list(of_written(setting, benchmark, encoder))
            found = compare_views(benchmark, vectors, systems, name)
            seen = benchmark.name in setting.config["corpus"].get("relatives", [])
            records += [{"part": "sets", "teacher_seen": seen, **asdict(record)} for record in found]
    return records


def how(setting: Setting, form: Any) -> InternalizerConfig:
    return InternalizerConfig(form=form, hidden=setting.config["internalizer"]["hidden"], seed=setting.config["seed"])


def of_networks(nets: list[Any], documents: Any) -> Iterator[ViewSystem]:
    """Every teacher and form."""
    for teacher, form, internalizers in nets:
        facts = {"system": "internalizer", "form": form, "teacher": teacher}
        views = internalized(internalizers, documents)
        yield ViewSystem(facts, views)
        if form == "residual":
            yield ViewSystem(facts, views, "learned")


def of_written(setting: Setting, benchmark: Any, encoder: Any) -> Iterator[ViewSystem]:
    """The texts that a teacher wrote about the documents of this set, if any (step `teach`)."""
    for teacher in setting.config["teachers"]:
        path = setting.made / "teach" / teacher / f"{benchmark.name.replace('/', '-')}.jsonl"
        if path.is_file():
            found = taught(benchmark, read_teacher(str(path), benchmark.documents), encoder)
            if len(found.benchmark.documents) == len(benchmark.documents):
                yield ViewSystem({"system": "cot", "form": None, "teacher": teacher}, found.views)


def draw(result: list[dict[str, Any]], path: Path) -> None:
    """Change of NDCG@10 by set and system."""
    draw_views(result, path)


def table(result: list[dict[str, Any]]) -> str:
    """As Markdown."""
    return views_table(result)
