"""The paper's form against the residual one, by lesson source -> results/internalizer_forms.json"""

from __future__ import annotations

import statistics
from typing import Any

from rich.console import Console

from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, TRAINED_ON, data, teachers
from xetrieval.configs import InternalizerConfig
from xetrieval.configs.internalizer import FORMS
from xetrieval.data import read_corpora
from xetrieval.encoders import CachedEncoder, open_encoder, read_texts
from xetrieval.internalizer.train import train_internalizer
from xetrieval.teachers import TeacherPair, read_teacher
from xetrieval.views import ASPECTS

SEEDS = (0, 1, 2)


def main() -> None:
    encoder = CachedEncoder(open_encoder("minilm", precision="bfloat16"))
    documents = read_corpora(data() / name for name in TRAINED_ON)
    written, answers, titles = (read_teacher(teacher, documents) for teacher in teachers())
    sources = {f"{aspect}, written": [p for p in written if p.aspect == aspect] for aspect in ASPECTS}
    sources["qa, answers with their questions"] = answers
    sources["qa, both"] = sources["qa, written"] + answers
    sources["summary, bodies with their titles"] = titles
    sources["summary, both"] = sources["summary, written"] + titles
    records = [record for name, pairs in sources.items() for record in compare(name, pairs, encoder)]
    (RESULTS / "internalizer_forms.json").write_text(as_json(records))


def compare(name: str, pairs: list[TeacherPair], encoder: CachedEncoder) -> list[dict[str, Any]]:
    """Validation cosine of both forms over the seeds; threads are never split."""
    z = read_texts(encoder, [pair.source for pair in pairs], "document").vectors
    target = read_texts(encoder, [pair.target for pair in pairs], "document").vectors
    threads = [pair.thread for pair in pairs]
    records = []
    for form in FORMS:
        runs = [train_internalizer(z, target, threads, InternalizerConfig(form=form, seed=seed)) for seed in SEEDS]
        record = {
            "lessons": name,
            "pairs": len(pairs),
            "form": form,
            "seeds": len(SEEDS),
            "doing_nothing": round(statistics.mean(run.raw_cosine for run in runs), 4),
            "cosine": round(statistics.mean(run.cosine for run in runs), 4),
            "cosine_by_seed": [round(run.cosine, 4) for run in runs],
            "epochs": [run.epochs for run in runs],
        }
        Console(width=140).print(record)
        records.append(record)
    return records


if __name__ == "__main__":
    main()
