"""Do shared features carry the score? The paper's Fig. 7 with size-matched controls -> results/pair_check.json"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

import xetrieval
from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, UNSEEN, data
from xetrieval.data.benchmark import read_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate import InterventionConfig, benchmark_vectors, intervention
from xetrieval.sae import SparseAutoencoder

DATASETS = (*UNSEEN, "nq-qed", "stackexchange-qa", "medquad")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", default=list(DATASETS))
    parser.add_argument("--explainer", default="minilm")
    parser.add_argument("--raw-sae", type=Path, help="folder of an autoencoder of raw vectors, as the set `direct`")
    parser.add_argument("--queries", type=int, default=None, help="how many queries to sample")
    parser.add_argument("--output", type=Path, default=RESULTS / "pair_check.json")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    given = parser.parse_args()
    explainer = xetrieval.load(given.explainer)
    encoder = CachedEncoder(open_encoder("minilm", precision=given.precision))
    config = InterventionConfig(queries=given.queries)
    raw = None if given.raw_sae is None else SparseAutoencoder.load(given.raw_sae)
    records = []
    for name in track(given.datasets, "pair check"):
        benchmark = read_benchmark(data() / name)
        record = asdict(intervention(explainer, benchmark, benchmark_vectors(benchmark, encoder), config, raw))
        record = {"unseen_in_training": name in UNSEEN, **record}
        records.append(
            {"explainer": explainer.name, "features": explainer.sae.features, "k": explainer.sae.k, **record}
        )
        given.output.write_text(as_json(records))
    Console(width=150).print(table(records))


def table(records: list[dict[str, Any]]) -> Table:
    """Figures of every set, with the random sets in brackets (active in z / live, like frequency)."""
    out = Table(title="erase: drop of cosine; in brackets the size-matched random sets (active in z / live)")
    columns = ("dataset", "set", "features", "erase", "keep-only", "explained (random in z)", "without bias")
    for column in columns:
        out.add_column(column, justify="left" if column in ("dataset", "set") else "right")
    for record in records:
        for name, s in record["sets"].items():
            out.add_row(
                record["dataset"] + ("*" if record["unseen_in_training"] else "") if name == "xetrieval" else "",
                name,
                f"{s['size']:.1f}",
                f"{s['erase']:+.3f} ({s['erase_random']:+.3f} / {s['erase_random_live']:+.3f})",
                f"{s['keep_only']:+.3f} ({s['keep_only_random']:+.3f} / {s['keep_only_random_live']:+.3f})",
                f"{s['explained']:.2f} ({s['explained_random']:.2f})",
                f"{s['explained_without_bias']:.2f}",
            )
    out.caption = "* unseen in training"
    return out


if __name__ == "__main__":
    main()
