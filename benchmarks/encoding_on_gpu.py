"""Encoding on a GPU, beside sentence-transformers at several batch sizes -> benchmarks/encoding_on_gpu-CARD.json

    python benchmarks/encoding_on_gpu.py MODEL

The texts are the passages and sentences of this Python's own documentation. Both run the same model, in turns; medians
of the rounds. In bfloat16, ours runs under autocast; sentence-transformers' model is converted. The cosine is the
smallest between the vectors of a text and those of sentence-transformers on the processor, over 256 texts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from xetrieval.data import split_sentences
from xetrieval.data.python_docs import python_docs
from xetrieval.encoders.sentence_transformer import SentenceTransformerEncoder

BATCHES = (64, 256, 1024, 4096)
ROUNDS = 3
COMPARED = 256  # texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--texts", type=int, default=4_000, help="at most this many")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    passages = [document.text for document in python_docs()]
    texts = [*passages, *(one.text for text in passages for one in split_sentences(text))]
    texts = [texts[place] for place in np.random.default_rng(0).permutation(len(texts))[: given.texts]]
    some = texts[:COMPARED]
    on_cpu = SentenceTransformer(given.model, device="cpu").encode(some, normalize_embeddings=True)
    facts = {
        "card": card,
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "texts": len(texts),
        "characters_a_text": round(statistics.mean(map(len, texts))),
        "texts_compared": len(some),
    }
    output = given.output or Path(__file__).with_name(f"encoding_on_gpu-{'-'.join(card.lower().split())}.json")
    tried = arms(given.model, "cpu" if card == "cpu" else "cuda")
    took: dict[str, list[float]] = {name: [] for name in tried}
    cosine = {name: float((np.asarray(read(some)) * on_cpu).sum(1).min()) for name, read in tried.items()}
    for _ in range(ROUNDS):
        for name, read in tried.items():
            started = time.perf_counter()
            read(texts)
            took[name].append(time.perf_counter() - started)
            facts["records"] = [
                {
                    "arm": arm,
                    "texts_per_second": round(len(texts) / statistics.median(times)),
                    "rounds": [round(len(texts) / one) for one in times],
                    "smallest_cosine": cosine[arm],
                }
                for arm, times in took.items()
                if times
            ]
            output.write_text(json.dumps(facts, indent=1) + "\n")  # after each reading, as time on a GPU may end
    print(json.dumps(facts, indent=1))


def arms(source: str, device: str) -> dict[str, Callable[[list[str]], Any]]:
    """What encodes texts, by name."""
    found: dict[str, Callable[[list[str]], Any]] = {}
    for precision in ("float32", "bfloat16"):
        encoder = SentenceTransformerEncoder(source, precision=precision)  # type: ignore[arg-type]
        found[f"ours {precision}"] = encoder.encode_document
        model = SentenceTransformer(source, device=device).to(getattr(torch, precision))
        for batch in BATCHES:
            found[f"sentence-transformers {precision}, batches of {batch}"] = reading(model, batch)
    return found


def reading(model: SentenceTransformer, batch: int) -> Callable[[list[str]], Any]:
    """Its own encode, with this batch size."""
    return lambda texts: (
        model.encode(
            texts, batch_size=batch, normalize_embeddings=True, convert_to_tensor=True, show_progress_bar=False
        )
        .float()
        .cpu()
        .numpy()
    )


if __name__ == "__main__":
    main()
