"""Seconds to train one internalizer on 10,000 pairs, both forms -> internalizer_training.json

Random unit vectors and a rotated, noisy copy of them as targets: the work of a real training, and an error that keeps
falling, so that early stopping does not cut it short. Real trainings stop after 10 to 60 of the 100 passes.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from xetrieval.arrays import l2norm
from xetrieval.configs import InternalizerConfig
from xetrieval.internalizer.train import train_internalizer

PAIRS, REPEATS = 10_000, 3


def main() -> None:
    rng = np.random.default_rng(0)
    records = []
    for m in (384,):
        z = l2norm(rng.standard_normal((PAIRS, m))).astype(np.float32)
        turn = np.linalg.qr(rng.standard_normal((m, m)))[0]
        target = l2norm(z @ turn + 0.5 * rng.standard_normal((PAIRS, m)) / m**0.5).astype(np.float32)
        groups = [str(row) for row in range(PAIRS)]
        for form in ("paper", "residual"):
            seconds, epochs = [], 0
            for seed in range(REPEATS):
                start = time.perf_counter()
                fitted = train_internalizer(z, target, groups, InternalizerConfig(form=form, seed=seed))
                seconds.append(time.perf_counter() - start)
                epochs = fitted.epochs
            median = statistics.median(seconds)
            records.append(
                {
                    "m": m,
                    "h": InternalizerConfig.hidden,
                    "form": form,
                    "pairs": PAIRS,
                    "epochs": epochs,
                    "seconds": round(median, 2),
                    "seconds_per_epoch": round(median / epochs, 3),
                    "threads": torch.get_num_threads(),
                    "python": platform.python_version(),
                    "torch": torch.__version__,
                }
            )
            print(records[-1])
    Path(__file__).with_suffix(".json").write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main()
