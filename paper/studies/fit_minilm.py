"""Fit the explainer that ships with the package. About 90 minutes on 2 cores, most of it encoding; resumes."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import xetrieval
from paper.kit.training import explaining_sae
from paper.studies.minilm import TRAINED_ON, data, teachers
from xetrieval.sae.train import SaeConfig

NOTES = (
    "Texts of Stack Exchange (CC BY-SA 3.0 and 4.0), MedQuAD (CC BY 4.0), PubMedQA (MIT; PubMed abstracts), and "
    "paragraphs of QED / Natural Questions and 2WikiMultihopQA (Wikipedia, CC BY-SA 3.0). Teacher texts: summary, "
    "purpose and question-answer texts of 720 posts written by a language model (CC BY-SA as derived), the questions "
    "of 7,482 answers, and titles. Encoded with bfloat16 matrix products (cosine to float32 at least 0.9999). Unseen, "
    "for evaluation: arguana, scifact, english-dup, mutual, climate-fever-evidence, vaswani, cacm."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("minilm"))
    parser.add_argument("--features", type=int, default=SaeConfig.features)
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--inference-k", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=SaeConfig.epochs)
    given = parser.parse_args()
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}")) as bar:
        tasks: dict[str, int] = {}

        def report(stage: str, done: int, total: int, note: str) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total, note="")
            bar.update(tasks[stage], completed=done, total=total, note=note)

        explainer = xetrieval.fit(
            [data() / name for name in TRAINED_ON],
            xetrieval.open_encoder("minilm", precision="bfloat16"),
            teachers(),
            given.output,
            xetrieval.FitConfig(
                sae=explaining_sae(given.features, given.k, given.epochs, given.inference_k), name="minilm", notes=NOTES
            ),
            progress=report,
        )
    print(explainer.metrics)


if __name__ == "__main__":
    main()
