"""What the scripts here share: where the data is, what the shipped explainer is made from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
TRAINED_ON = ("stackexchange", "stackexchange-qa", "medquad", "nq-qed", "pubmedqa")
UNSEEN = ("arguana", "scifact", "english-dup", "mutual", "climate-fever-evidence", "vaswani", "cacm")


def data() -> Path:
    """The folder of benchmarks."""
    folder = os.environ.get("XETRIEVAL_DATA")
    if not folder or not Path(folder).is_dir():
        sys.exit("set XETRIEVAL_DATA to the folder of benchmarks (BEIR layout)")
    return Path(folder)


def teachers() -> list[str]:
    """Written texts of 720 posts, answers with their questions, bodies with their titles."""
    folder = data()
    return [
        str(folder / "teacher" / "texts.jsonl.gz"),
        str(folder / "stackexchange" / "pairs.tsv.gz"),
        "field:title",
    ]
