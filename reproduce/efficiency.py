"""How long explaining takes as the corpus grows (paper, Fig. 6) -> results/efficiency.json, efficiency.png

    efficiency.py --vectors V.npy [--llm gguf:FILE]

10,000 to 60,000 documents, vectors at hand, every document explained against one query and against 100 (the documents'
part once, and 100 times a query's): ours (ids, activations and shares), the way of the paper's release (ids alone),
and a language model that writes the three texts of each document, timed on a few and extrapolated, as the figure says.
V.npy is the original.npy of control_saes.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from minilm import RESULTS, data
from rich.console import Console

import xetrieval
from xetrieval.data import read_corpora
from xetrieval.evaluate.plots import draw_efficiency
from xetrieval.llm import open_llm
from xetrieval.teachers.prompt import read_prompt
from xetrieval.views import ASPECTS

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import explain_pairs

SIZES = (10_000, 20_000, 40_000, 60_000)
QUERIES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--llm", help="times it on --texts texts; without it that line is left out")
    parser.add_argument("--texts", type=int, default=6)
    given = parser.parse_args()
    explainer = xetrieval.load("minilm")
    explain_pairs.K = explainer.sae.k
    real = np.load(given.vectors, mmap_mode="r")
    z = np.array(real[: max(SIZES)], np.float32)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    records = [measured(explainer, z[:size], size) for size in SIZES]
    written = None if given.llm is None else texts_a_second(given.llm, given.texts)
    result: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
        "features": explainer.sae.features,
        "k": explainer.sae.k,
        "queries": QUERIES,
        "sizes": records,
        "language_model": written,
    }
    (RESULTS / "efficiency.json").write_text(json.dumps(result, indent=1) + "\n")
    draw_efficiency(result, RESULTS / "efficiency.png")
    Console(width=140).print(result)


def measured(explainer: Any, z: Any, size: int) -> dict[str, Any]:
    """Seconds of what is done once for the documents, and for each query after that (medians of three)."""
    q = z[np.random.default_rng(0).integers(size, size=3)]
    out: dict[str, Any] = {"documents": size}
    started = time.perf_counter()
    views = explainer.codes(z)
    out["ours_documents"] = time.perf_counter() - started
    out["ours_query"] = median(
        lambda one: explainer.explain_codes(
            np.repeat(one, size, 0), z, explainer.sae.encode(one).rows(np.zeros(size, int)), views
        ),
        q,
    )
    release = explain_pairs.Release(explainer)
    started = time.perf_counter()
    dense = [release.encode(view) for view in release.views(z)]
    sets = [[set(row.nonzero().flatten().tolist()) for row in codes > 0] for codes in dense]
    out["release_documents"] = time.perf_counter() - started
    out["release_query"] = median(lambda one: intersected(release, one, sets), q)
    for name in ("ours", "release"):
        out[f"{name}_one"] = out[f"{name}_documents"] + out[f"{name}_query"]
        out[f"{name}_hundred"] = out[f"{name}_documents"] + QUERIES * out[f"{name}_query"]
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in out.items()}


def intersected(release: Any, one: Any, sets: list[list[set[int]]]) -> list[list[int]]:
    query = set(release.encode(one)[0].nonzero().flatten().tolist())
    return [sorted(set().union(*(query & view for view in views))) for views in zip(*sets, strict=True)]


def median(what: Callable[[Any], Any], q: Any) -> float:
    took = []
    for row in range(len(q)):
        started = time.perf_counter()
        what(q[[row]])
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def texts_a_second(llm: str, count: int) -> dict[str, Any]:
    """Seconds a text of a language model, over the three aspects."""
    model = open_llm(llm, 600.0)
    documents = [d for d in read_corpora([data() / "stackexchange"]) if 400 < len(d.text) < 1100][: max(1, count // 3)]
    prompts = [read_prompt(aspect) for aspect in ASPECTS]
    model.ask(prompts[0].request(documents[0].text))  # loads the model
    took = []
    for document in documents:
        for prompt in prompts:
            started = time.perf_counter()
            model.ask(prompt.request(document.text))
            took.append(time.perf_counter() - started)
    return {"model": model.name, "texts": len(took), "seconds_a_text": round(statistics.mean(took), 2)}


if __name__ == "__main__":
    main()
