"""Which F and k? The explained fraction against label quality, on unseen corpora -> results/choose_sae.json

    python -m paper.studies.choose_sae train F,k[,K] ... --work DIR
        train each on the same vectors with k, measure with K (default k)
    python -m paper.studies.choose_sae sheets --work DIR
        write sheets.txt (blind) and key.json for reading by a person
    python -m paper.studies.choose_sae judge VERDICTS --work DIR
        verdicts "SHEET y|n" a line, joined by the key to the results

The reading protocol: 50 random live features of each autoencoder, shuffled together and without a word of where they
are from; eight top texts each; yes if at least six of the eight share one specific concept.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, TRAINED_ON, data, teachers
from xetrieval.configs import InternalizerConfig
from xetrieval.data import read_corpora
from xetrieval.data.benchmark import read_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder, read_texts
from xetrieval.evaluate import InterventionConfig, benchmark_vectors, intervention
from xetrieval.explain import Explainer
from xetrieval.features import Feature
from xetrieval.files import read_arrays, write_arrays
from xetrieval.fitting.texts import TrainingTexts, encode_training, training_texts
from xetrieval.internalizer import Internalizer
from xetrieval.internalizer.train import train_internalizer
from xetrieval.labels.examples import top_examples
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.measure import reconstruction
from xetrieval.sae.train import SaeConfig, train_sae
from xetrieval.teachers import read_teacher
from xetrieval.views import ASPECTS

JUDGED_ON = ("arguana", "mutual", "scifact")
CONSOLE = Console(width=140)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("train", "sheets", "judge"))
    parser.add_argument("what", nargs="*")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--per", type=int, default=50, help="features read per autoencoder")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.task == "train":
        encoder = CachedEncoder(open_encoder("minilm", precision="bfloat16"))
        texts, vectors, nets = prepare(encoder)
        for spec in given.what:
            features, k, *at = map(int, spec.split(","))
            record = train_one((features, k, *(at or [k])), given.epochs, encoder, texts, vectors, nets, given.work)
            CONSOLE.print(record)
    elif given.task == "sheets":
        write_sheets(given.work, given.per)
    else:
        judge(Path(given.what[0]), given.work)


def prepare(encoder: CachedEncoder) -> tuple[TrainingTexts, Any, dict[Any, Internalizer]]:
    documents = read_corpora(data() / name for name in TRAINED_ON)
    texts = training_texts(documents, 9)
    lessons = [pair for teacher in teachers() for pair in read_teacher(teacher, documents)]
    nets: dict[Any, Internalizer] = {}
    for aspect in ASPECTS:
        pairs = [pair for pair in lessons if pair.aspect == aspect]
        z, target = (
            read_texts(encoder, [getattr(p, side) for p in pairs], "document").vectors for side in ("source", "target")
        )
        nets[aspect] = train_internalizer(z, target, [p.thread for p in pairs], InternalizerConfig()).internalizer
    return texts, encode_training(encoder, texts).vectors, nets


def train_one(
    spec: tuple[int, ...],
    epochs: int,
    encoder: CachedEncoder,
    texts: TrainingTexts,
    vectors: Any,
    nets: dict[Any, Internalizer],
    work: Path,
) -> dict[str, Any]:
    """Train (or reload) one autoencoder, and measure it on held-out rows and on unseen benchmarks.

    spec: F, the k it is trained with, and the k it is used with. More features may be kept in use than in training:
    directions and names stay the same, and an explanation may draw on weaker activations.
    """
    features, k, used_k = spec
    views = np.stack([vectors.astype(np.float16), *(nets[aspect](vectors).astype(np.float16) for aspect in ASPECTS)], 1)
    held = np.random.default_rng(5).random(texts.documents)[texts.owner] < 0.02
    rows = (np.flatnonzero(~held)[:, None] * 4 + np.arange(4)).reshape(-1)
    path = work / f"sae-{features}-{k}.safetensors"
    started = time.perf_counter()
    if not path.is_file():
        sae = train_sae(views.reshape(-1, 384), SaeConfig(features, k, epochs=epochs), rows=rows)
        arrays = {
            "We": sae.encoder_weight,
            "be": sae.encoder_bias,
            "W": sae.decoder_weight,
            "b": sae.decoder_bias,
        }
        write_arrays(path, {**arrays, "k": np.array([k])})
    seconds = time.perf_counter() - started
    sae = replace(reload(path), k=used_k)
    top = top_examples(sae.encode(vectors), features, 8)
    table = tuple(Feature(j, None, None, float(top.frequency[j]) / len(vectors)) for j in range(features))
    explainer = Explainer("candidate", encoder.identity, sae, nets, table)
    record: dict[str, Any] = {
        "features": features,
        "k": k,
        "used_k": used_k,
        "epochs": epochs,
        "rows": len(rows),
        "seconds": round(seconds),
    }
    record["fvu_original"] = reconstruction(sae, vectors[held]).fvu
    record["fvu_reasoned"] = reconstruction(sae, views[held][:, 1:].reshape(-1, 384).astype(np.float32)).fvu
    record["dead"] = float((top.frequency == 0).mean())
    record["dense"] = float((top.frequency > 0.1 * len(vectors)).mean())
    for name in JUDGED_ON:
        benchmark = read_benchmark(data() / name)
        config = InterventionConfig(queries=300, bootstrap=100)
        sets = intervention(explainer, benchmark, benchmark_vectors(benchmark, encoder), config).sets
        keys = (
            "size",
            "erase",
            "erase_random",
            "erase_random_live",
            "keep_only",
            "explained",
            "explained_random",
        )
        record[name] = {key: sets["xetrieval"][key] for key in keys}
        record[name]["erase_original_view"] = sets["original_view"]["erase"]
    live = np.flatnonzero(top.frequency >= 8)
    examples = {int(j): [texts.texts[row] for row in top.of(j)] for j in live}
    if used_k == k:
        (work / f"examples-{features}-{k}.json").write_text(json.dumps(examples))
    update(lambda records: [r for r in records if (r["features"], r["k"], r["used_k"]) != spec] + [record])
    return record


def reload(path: Path) -> SparseAutoencoder:
    a: Any = read_arrays(path)
    return SparseAutoencoder(a["We"], a["be"], a["W"], a["b"], int(a["k"][0]))


def write_sheets(work: Path, per: int) -> None:
    rng = np.random.default_rng(11)
    cards = []
    for path in sorted(work.glob("examples-*.json")):
        examples = json.loads(path.read_text())
        for j in rng.choice(sorted(map(int, examples)), per, replace=False):
            cards.append((path.stem.removeprefix("examples-"), int(j), examples[str(j)]))
    order = rng.permutation(len(cards))
    sheets = [cards[place] for place in order]
    (work / "key.json").write_text(json.dumps([[name, j] for name, j, _ in sheets]))
    lines = []
    for number, (_, _, texts) in enumerate(sheets):
        lines.append(f"[{number}]")
        lines += [f"  {' '.join(text.split())[:120]}" for text in texts]
    (work / "sheets.txt").write_text("\n".join(lines) + "\n")
    CONSOLE.print(f"{len(sheets)} sheets in {work / 'sheets.txt'}")


def judge(verdicts: Path, work: Path) -> None:
    key = json.loads((work / "key.json").read_text())
    read: dict[str, list[tuple[int, bool]]] = {}
    for line in verdicts.read_text().split("\n"):
        if line.strip():
            sheet, verdict = line.split()
            name, feature = key[int(sheet)]
            read.setdefault(name, []).append((feature, verdict == "y"))

    def join(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for record in records:
            mine = read.get(f"{record['features']}-{record['k']}")
            if mine and record["used_k"] == record["k"]:
                record["nameable"] = round(sum(yes for _, yes in mine) / len(mine), 3)
                record["nameable_read"] = len(mine)
                record["verdicts"] = {str(feature): yes for feature, yes in sorted(mine)}
        return records

    for record in update(join):
        CONSOLE.print({key: value for key, value in record.items() if key != "verdicts"})


def update(change: Any) -> list[dict[str, Any]]:
    path = RESULTS / "choose_sae.json"
    records = json.loads(path.read_text()) if path.is_file() else []
    records = sorted(change(records), key=lambda r: (r["features"], r["k"], r["used_k"]))
    path.write_text(as_json(records))
    return records


if __name__ == "__main__":
    main()
