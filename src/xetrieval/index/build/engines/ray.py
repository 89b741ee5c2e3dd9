"""A build on a cluster: Ray Data distributes the shards to workers.

A worker reads its part of the corpus, encodes it in the same blocks as the plain loop, and writes whole shards to the
index's folder, which all machines must share. It returns one line per shard. Finished shards are skipped, so an
interrupted build resumes.
"""

from __future__ import annotations

import math
import os
from itertools import islice
from pathlib import Path
from typing import Any

from ....errors import InputError, XetrievalError
from ....explain import Explainer, load
from ....extras import require
from ...store.layout import BUILDING
from ...store.manifest import explainer_of, read_index_manifest
from ..corpus import Corpus
from ..job import Build
from ..shards import STAGE_NAMES, Part, ShardMaker, wanted

SWITCHES = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}


def build_shards(build: Build, part: Part) -> None:
    """Make all shards of a job, on as many workers as fit on the cluster.

    Raises:
        MissingExtra: Ray is not installed. InputError: an encoder that workers cannot open by name.
    """
    corpus, explainer, output, base, job, progress = build
    os.environ.update(SWITCHES)  # before the import, or Ray sends usage statistics
    ray, data = require("ray", "ray"), require("ray.data", "ray")
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    data.DataContext.get_current().enable_progress_bars = False
    encoding = not corpus.encoded and part != "code"
    workers, cpus, gpus = pool(ray.cluster_resources(), len(job.sizes), encoding=encoding)
    starts = [sum(job.sizes[:place]) for place in range(len(job.sizes))]
    rows = [
        {"number": job.first + place, "start": start, "rows": size}
        for place, (start, size) in enumerate(zip(starts, job.sizes, strict=True))
    ]
    worker = {
        "corpus": corpus,
        "output": os.path.realpath(output),
        "block": job.block,
        "added_to": base is not None,
        "encoder": encoder_name(explainer) if encoding else None,
        "part": part,
        "words": job.words,
    }
    done = 0
    built = data.from_items(rows, override_num_blocks=len(rows)).map(
        BuildShard,
        fn_constructor_kwargs=worker,
        compute=data.ActorPoolStrategy(size=workers),
        num_cpus=cpus,
        num_gpus=gpus,
    )
    for line in built.iter_rows():
        if line["error"]:
            raise XetrievalError(str(line["error"]))
        done += int(line["rows"])
        progress(STAGE_NAMES[part], done, job.rows, "")


def pool(resources: dict[str, float], shards: int, *, encoding: bool = False) -> tuple[int, float, float]:
    """How many workers to use, and how many processors and GPUs each of them claims.

    If texts are encoded and the cluster has GPUs, each worker has its own GPU. Ray Data hangs if its workers leave less
    than one processor for reading and writing (ray issue 44687), so one is kept free; if there are few processors, a
    worker claims only a fraction of one.
    """
    cpus, gpus = float(resources.get("CPU", 1)), int(resources.get("GPU", 0))
    workers = max(1, min(shards, math.floor(cpus) - 1 if cpus > 2 else 1))
    if encoding and gpus:
        workers = min(workers, gpus)
    return workers, 1.0 if cpus - workers >= 1 else 0.4, 1.0 if encoding and gpus else 0.0


def encoder_name(explainer: Explainer) -> str:
    """The name by which a worker opens the encoder."""
    name = explainer.encoder.identity.name
    if explainer.encoder_identity.is_function:
        raise InputError("engine ray: workers cannot open an encoder that is a Python function; use --engine loop")
    return name


class BuildShard:
    """A worker that makes one shard after another. It opens encoder and explainer once."""

    def __init__(
        self, corpus: Corpus, output: str, block: int, *, added_to: bool, encoder: str | None, part: Part, words: bool
    ) -> None:
        self.corpus, self.output, self.part = corpus, Path(output), part
        explainer = load(explainer_of(self.output), encoder=encoder, cache=False)
        self.base = read_index_manifest(self.output) if added_to else None
        self.maker = ShardMaker(corpus, explainer, self.output, block, part, words=words)
        (self.output / BUILDING).mkdir(exist_ok=True)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        start, size = int(row["start"]), int(row["rows"])
        entries = iter(()) if self.part == "code" else wanted(self.corpus, self.output, self.base)
        error = ""
        try:
            self.maker.make(int(row["number"]), size, islice(entries, start, start + size), lambda _: None)
        except XetrievalError as failed:  # Ray would wrap it in its own message
            error = str(failed)
        return {"number": int(row["number"]), "rows": size, "error": error}
