"""What a config names, opened: encoders, sets, corpora, teachers, and trained models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paper.kit import benchmarks, posts
from paper.progress import Bar
from paper.steps import made_folder
from xetrieval.data import Document
from xetrieval.data.benchmark import Benchmark, open_benchmark, sample_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate import BenchmarkVectors, benchmark_vectors
from xetrieval.files import digest_of
from xetrieval.teachers import TeacherPair, read_teacher


@dataclass
class Setting:
    """The argument of every step. `used` collects the hashes of everything that was read."""

    config: dict[str, Any]
    work: Path
    used: dict[str, str] = field(default_factory=dict)

    @property
    def made(self) -> Path:
        """The folder of trained models, named by a hash of their inputs so that nothing in it is stale."""
        return made_folder(self.config, self.work)

    def filled(self, text: str) -> str:
        """Fill in {work} and environment variables."""
        return os.path.expandvars(text.replace("{work}", str(self.work)))

    def data(self, name: str) -> str:
        """A path below XETRIEVAL_DATA. Absolute paths, field:NAME and dumps stay as they are."""
        whole = self.filled(name)
        return whole if ":" in whole else str(Path(os.environ.get("XETRIEVAL_DATA", ".")) / whole)

    def encoder(self, name: str) -> CachedEncoder:
        """An encoder of the config, with its vectors cached in the work folder."""
        facts = self.config["encoders"][name]
        opened = open_encoder(self.filled(facts["source"]), precision=facts.get("precision", "float32"))
        self.used[f"encoder {name}"] = opened.identity.digest
        return CachedEncoder(opened, self.work / "vectors", Bar(f"{name}: texts").stage)

    def benchmark(self, facts: dict[str, Any]) -> Benchmark:
        """One set, sampled as configured: every judged document, and random ones up to a number."""
        whole = open_benchmark(self.filled(facts["source"]))
        benchmark = sample_benchmark(whole, facts.get("queries"), facts.get("documents"), self.config["seed"])
        self.used[f"set {benchmark.name}, {len(benchmark.documents)} documents"] = benchmarks.digest(benchmark)
        return benchmark

    def sets(self, encoder: str, only: list[str] | None = None) -> Iterator[tuple[Benchmark, BenchmarkVectors]]:
        """The sets of an encoder, or only those named, with their vectors."""
        reader = self.encoder(encoder)
        for facts in self.config["sets"][self.config["encoders"][encoder]["sets"]]:
            if only is None or facts["source"] in only:
                yield (benchmark := self.benchmark(facts)), benchmark_vectors(benchmark, reader)

    def corpus(self, sources: list[str]) -> list[Document]:
        """The documents of several corpora."""
        found = posts.read_sources([self.data(source) for source in sources])
        self.used[f"corpus {' '.join(sources)}"] = digest_of([document.text for document in found])
        return found

    def lessons(self, teachers: list[str]) -> list[TeacherPair]:
        """The texts that these teachers wrote about the taught corpus."""
        documents, known = self.corpus([self.config["taught"]["corpus"]]), self.config["teachers"]
        own = [f"{self.made}/teach/{name}/corpus.jsonl" for name in teachers if "llm" in known[name]]
        files = own + [file for name in teachers for file in known[name].get("files", ())]
        return [pair for file in files for pair in read_teacher(self.data(file), documents)]

    def step(self, name: str) -> Any:
        """The config of one step."""
        return self.config["steps"][name]
