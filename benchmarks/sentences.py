"""Where our sentences end, compared with sentencex (pip install sentencex), on 1,500 documents.

    XETRIEVAL_DATA=... python benchmarks/sentences.py

Writes benchmarks/sentences.json. Ends at line breaks are left out: sentencex has none there.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import sentencex

from xetrieval.data import split_sentences, stream_source

SETS = ("scifact", "stackexchange-qa", "medquad", "nq-qed", "pubmedqa", "arguana")
EACH = 250


def places(line: str, ends: list[int]) -> set[int]:
    """Ends by the number of characters before them that are not white space."""
    return {len("".join(line[:end].split())) for end in ends}


def main() -> None:
    """Measure and write."""
    lines: list[str] = []
    for name in SETS:
        texts = [one.body for one in stream_source(Path(os.environ["XETRIEVAL_DATA"]) / name) if one.body]
        lines += [line for text in random.Random(0).sample(texts, EACH) for line in text.splitlines() if line.strip()]
    started = time.process_time()
    ours = [places(line, [one.end for one in split_sentences(line)]) for line in lines]
    between = time.process_time()
    theirs = [
        places(line, [one["end_index"] for one in sentencex.get_sentence_boundaries("en", line)]) for line in lines
    ]
    ended = time.process_time()
    both = sum(len(a & b) for a, b in zip(ours, theirs, strict=True))
    found = {
        "lines": len(lines),
        "ours": sum(map(len, ours)),
        "sentencex": sum(map(len, theirs)),
        "both": both,
        "seconds": [round(between - started, 2), round(ended - between, 2)],
    }
    print(found)
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
