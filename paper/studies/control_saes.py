"""Autoencoders to compare ours with -> WORK/raw, reseeded, reasoned-3072, raw-3072

    raw             of the texts' vectors alone, as many training rows as ours had (four times the epochs), F = 1024
    reseeded        like the shipped one before pruning, with another seed
    reasoned-3072   all four views, F = 3072, k = 64
    raw-3072        the texts' vectors alone, F = 3072, k = 64, as many training rows

Vectors are those of fit_minilm.py, encoded with bfloat16 products unless cached. About 20 minutes of training.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from rich.console import Console

import xetrieval
from paper.kit.training import explaining_sae
from paper.studies.minilm import TRAINED_ON, data
from xetrieval.data import read_corpora
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.fitting.reasoned import reasoned_rows
from xetrieval.fitting.texts import encode_training, training_texts
from xetrieval.sae.train import SaeConfig, Stack, train_many

CONFIGS: dict[str, tuple[bool, SaeConfig]] = {  # of all views, and how
    "raw": (False, explaining_sae(1024, 16, 16, 24)),
    "reseeded": (True, explaining_sae(1024, 16, 4, 24, seed=1)),
    "raw-3072": (False, explaining_sae(3072, 64, 16, 64)),
    "reasoned-3072": (True, explaining_sae(3072, 64, 4, 64)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=list(CONFIGS))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    stacks = {True: Stack([views(given.work)]), False: Stack([np.load(given.work / "original.npy", mmap_mode="r")])}
    for name in given.only:
        target = given.work / name
        if target.exists():
            continue
        of_views, config = CONFIGS[name]
        started = time.perf_counter()
        trained = train_many(stacks[of_views], [config])[0]
        provenance = {"rows": len(stacks[of_views]), "views": of_views, "config": config.to_dict()}
        trained.sae.save(target, provenance, {"held_out_fvu": trained.held_out_fvu})
        Console().print(f"{name}: {time.perf_counter() - started:.0f} s, FVU {trained.held_out_fvu}")


def views(work: Path) -> np.ndarray:  # type: ignore[type-arg]
    """[4 n, m] in half precision: the texts' vectors and their views by the shipped internalizers."""
    path = work / "views.npy"
    if not (work / "original.npy").is_file():
        texts = training_texts(read_corpora(data() / name for name in TRAINED_ON), 9)
        encoder = CachedEncoder(open_encoder("minilm", precision="bfloat16"))
        vectors = encode_training(encoder, texts).vectors
        np.save(work / "original.npy", vectors.astype(np.float16))
    rows = reasoned_rows(np.load(work / "original.npy", mmap_mode="r"), xetrieval.load("minilm").internalizers, path)
    return rows.reshape(-1, rows.shape[2])


if __name__ == "__main__":
    main()
