"""Label quality of the shipped explainer, compared with a raw and a random autoencoder (paper, section 7, Fig. 5).

Labels are judged on a pool of 2,400 documents from the side of the corpus that labellers never see. Three autoencoders
of the same size: the shipped one (raw and reasoned vectors), one trained on raw vectors only, and a random one. All
three get labels from the same labeller (key phrases); the shipped one also has its real labels.

    python -m paper.studies.label_scores --mpnet FOLDER --work DIR [--llm gguf:FILE]

About an hour on 2 cores, with a local language model two; resumes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

import xetrieval
from paper.kit.results import as_json
from paper.kit.training import explaining_sae
from paper.kit.untrained import untrained_sae
from paper.studies.minilm import RESULTS, TRAINED_ON, data
from xetrieval.data import Document, read_corpora
from xetrieval.data.sources import stream_documents
from xetrieval.encoders import CachedEncoder, Encoder
from xetrieval.explain import Explainer
from xetrieval.files import write_text
from xetrieval.fitting.texts import encode_training, training_texts
from xetrieval.intervals import bootstrap, wilson
from xetrieval.labels.examples import (
    ExamplesConfig,
    FeatureExamples,
    gather,
    load_examples,
    passage_blocks,
    save_examples,
    side_of,
)
from xetrieval.labels.judges import EncoderJudge, Judge, LlmJudge
from xetrieval.labels.labellers import KeyphraseLabeller
from xetrieval.labels.planted import judge_planted
from xetrieval.labels.scores import LabelScores, ScoresConfig, score_labels
from xetrieval.llm import CachedChat, open_llm
from xetrieval.records import record_of
from xetrieval.sae import SparseAutoencoder, read_sae, write_sae
from xetrieval.sae.train import train_sae

POOL = 2400
SAMPLE = 200  # features that a language model judges with random negatives
OTHERS = 20  # of the raw and the random one, and with shuffled names
HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mpnet", type=Path, required=True, help="all-mpnet-base-v2, the encoder that judges")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--llm", help="a language model as second judge")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    explainer = xetrieval.load("minilm")
    reader = CachedEncoder(xetrieval.open_encoder("minilm"))
    corpora = [data() / name for name in TRAINED_ON]
    autoencoders = {
        "shipped": explainer.sae,
        "raw": raw_sae(explainer, reader, corpora, given.work / "raw.safetensors"),
        "random": random_sae(explainer, reader, corpora),
    }
    examples = {name: examples_of(name, sae, reader, corpora, given.work) for name, sae in autoencoders.items()}
    labels: dict[str, tuple[str, dict[int, str]]] = {
        "shipped, real names": ("shipped", {f.feature_id: f.label for f in explainer.features if f.label})
    }
    labels |= {f"{name}, key phrases": (name, keyphrases(examples[name])) for name in autoencoders}
    encoder = EncoderJudge(CachedEncoder(xetrieval.open_encoder(str(given.mpnet))), explainer.encoder_identity)
    result: dict[str, Any] = {
        "protocol": __doc__,
        "planted": record_of(judge_planted(encoder)),
        "scores": [],
        "values": {},
    }
    judged: dict[str, LabelScores] = {}
    for name, (sae, names) in labels.items():
        config = ScoresConfig() if name.startswith("shipped, r") else ScoresConfig(kinds=("detection", "intruder"))
        judged[name] = score_labels(examples[sae], names, encoder, config)
        keep(result, name, judged[name], len(examples[sae]), len(names))
        strongest = ScoresConfig(kinds=("detection",), active="strongest")
        keep(result, name, score_labels(examples[sae], names, encoder, strongest), len(examples[sae]), len(names))
        write(result)
    result["forced_choice"] = [forced_choice(examples["shipped"], labels["shipped, real names"][1], encoder)]
    result |= readings(json.loads((HERE / "names" / "readings.json").read_text()))
    write(result)
    if given.llm is not None:
        second_judge(given.llm, examples, labels, judged, result)
    picture(result, RESULTS / "label_scores.png")


def second_judge(
    source: str,
    examples: dict[str, list[FeatureExamples]],
    labels: dict[str, tuple[str, dict[int, str]]],
    judged: dict[str, LabelScores],
    result: dict[str, Any],
) -> None:
    """A language model, asked about one text at a time: small ones do not keep lists apart."""
    shown = HERE.parent / "prompts"
    prompts = (shown / "small_detection.txt", shown / "small_fuzz.txt", "intruder")
    model = LlmJudge(CachedChat(open_llm(source)), at_once=1, prompts=prompts)
    result["planted"] += record_of(judge_planted(model, kinds=("detection",)))
    write(result)
    real = "shipped, real names"
    samples: tuple[tuple[str, Any, int, bool], ...] = (
        (real, "random", SAMPLE, False),
        (real, "hard", 40, False),
        *((name, "random", OTHERS, False) for name in labels if name != real),
        (real, "random", OTHERS, True),
    )
    for name, negatives, features, shuffled in samples:
        sae, names = labels[name]
        config = ScoresConfig(("detection",), (negatives,), features, texts=4, shuffled=shuffled)
        scored = score_labels(examples[sae], names, model, config, progress)
        keep(result, name, scored, len(examples[sae]), len(names))
        if name == real and not shuffled:
            result.setdefault("agreement", []).append(agreement(judged[name], scored, negatives))
        write(result)


def progress(stage: str, done: int, total: int, note: str) -> None:
    """A line every twenty cases."""
    if done % 20 == 0 or done == total:
        print(stage, done, total, note, flush=True)


def raw_sae(explainer: Explainer, reader: Encoder, corpora: list[Path], path: Path) -> SparseAutoencoder:
    """Trained on the vectors of the texts alone, as many samples as the shipped one had."""
    if not path.is_file():
        texts = training_texts(read_corpora(corpora), 9)
        vectors = encode_training(reader, texts).vectors
        write_sae(train_sae(vectors, explaining_sae(explainer.sae.features, 16, 16, explainer.sae.k)), path)
    return read_sae(path)


def random_sae(explainer: Explainer, reader: Encoder, corpora: list[Path]) -> SparseAutoencoder:
    """Untrained: random directions read and write, around the mean of the vectors."""
    some = [document.text for document, _ in zip(stream_documents(corpora), range(2000), strict=False)]
    return untrained_sae(explainer.sae.features, reader.encode_document(some).mean(axis=0), explainer.sae.k or 1)


def pool(corpora: list[Path]) -> list[Document]:
    """Documents that no labeller saw, those with the smallest hashes."""
    unseen = [document for document in stream_documents(corpora) if side_of(document.id, 0) == 1]
    return sorted(unseen, key=lambda document: sha256(document.id.encode()).digest())[:POOL]


def examples_of(
    name: str, sae: SparseAutoencoder, reader: Encoder, corpora: list[Path], work: Path
) -> list[FeatureExamples]:
    """Names are made from the whole corpus's shown side and judged on the pool."""
    config, parts = ExamplesConfig(), []
    sources: dict[str, Any] = {"all": lambda: stream_documents(corpora), "pool": lambda: pool(corpora)}
    for kind, source in sources.items():
        folder = work / f"{name}-{kind}-{sae.digest}"
        if not folder.is_dir():
            print("examples", name, kind, flush=True)
            got = gather(sae, lambda source=source: passage_blocks(source, reader, config.per_document), config)
            save_examples(folder, sae.digest, got.features, {"passages": got.passages, "documents": got.documents})
        parts.append(load_examples(folder).features)
    return [replace(whole, judging=part.judging) for whole, part in zip(*parts, strict=True)]


def keyphrases(examples: list[FeatureExamples]) -> dict[int, str]:
    background = [e.text for feature in examples for e in feature.labelling.random]
    return {p.feature_id: p.label for p in KeyphraseLabeller(background).label(examples) if p.label}


def keep(result: dict[str, Any], name: str, scored: LabelScores, features: int, named: int) -> None:
    facts = {"names": name, "features_in_all": features, "named": named, "unanswered": scored.failed}
    result["scores"] += [{**facts, **record} for record in record_of(scored.summary())]
    for kind in scored.config.kinds:
        for negatives in scored.config.negatives:
            values = scored.values(kind, negatives)
            if values and kind == "detection":
                key = f"{name} | {scored.judge} | {scored.config.active} | {negatives}"
                result["values"].setdefault(key, [round(value, 3) for value in values.values()])


def forced_choice(examples: Iterable[FeatureExamples], names: dict[int, str], judge: Judge) -> dict[str, Any]:
    """Do the strongest judged texts fit a feature's own label better than another feature's?"""
    rng, right = np.random.default_rng(0), []
    able = [f for f in examples if f.feature_id in names and len(f.judging.top) >= 5]
    judge.prepare(names.values(), {e.text for f in able for e in f.judging.top[:5]})
    for feature in track(able, "forced choice"):
        other = names[int(rng.choice([f.feature_id for f in able if f.feature_id != feature.feature_id]))]
        texts = [e.text for e in feature.judging.top[:5]]
        own, wrong = judge.fits(names[feature.feature_id], texts), judge.fits(other, texts)
        if own is not None and wrong is not None:
            right.append(float(own.mean() > wrong.mean()))
    low, high = wilson(float(np.mean(right)), len(right))
    return {
        "judge": judge.name,
        "other": "any other feature",
        "features": len(right),
        "accuracy": round(float(np.mean(right)), 4),
        "ci": [round(low, 4), round(high, 4)],
    }


def readings(read: dict[str, Any]) -> dict[str, Any]:
    """A reader's forced choices and verdicts on nameability, as figures; the single answers beside them."""
    choices = []
    for key, other in (("choice", "any other feature"), ("near", "the feature of the nearest direction")):
        share = float(np.mean([answer["right"] for answer in read[key]]))
        low, high = wilson(share, len(read[key]))
        facts = {"judge": "a reader", "other": other, "features": len(read[key]), "accuracy": round(share, 4)}
        choices.append({**facts, "ci": [round(low, 4), round(high, 4)]})
    plain = float(np.mean([answer["plain"] for answer in read["plain"]]))
    low, high = wilson(plain, len(read["plain"]))
    facts = {"features": len(read["plain"]), "plain": round(plain, 4), "ci": [round(low, 4), round(high, 4)]}
    return {"forced_choice_by_a_reader": choices, "nameable": facts}


def agreement(first: LabelScores, second: LabelScores, negatives: Any) -> dict[str, Any]:
    """Correlation of two judges' detection values over the features that both judged."""
    a, b = first.values("detection", negatives), second.values("detection", negatives)
    both = sorted(set(a) & set(b))
    x, y = np.array([a[f] for f in both]), np.array([b[f] for f in both])
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(both), size=len(both)) for _ in range(1000)]
    spread = [float(np.corrcoef(x[d], y[d])[0, 1]) for d in draws]
    low, high = np.quantile(spread, [0.025, 0.975])
    means = {judge: round(bootstrap(v).mean, 4) for judge, v in ((first.judge, x), (second.judge, y))}
    return {
        "negatives": negatives,
        "features": len(both),
        "pearson": round(float(np.corrcoef(x, y)[0, 1]), 4),
        "ci": [round(float(low), 4), round(float(high), 4)],
        "means": means,
    }


def write(result: dict[str, Any]) -> None:
    write_text(RESULTS / "label_scores.json", as_json(result))


def picture(result: dict[str, Any], path: Path) -> None:
    """Density of detection scores over features, as the paper's Fig. 5."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    judges = sorted({key.split(" | ")[1] for key in result["values"]})
    panels = [
        (judge, negatives, active)
        for judge in judges
        for negatives in ("random", "hard")
        for active in ("range", "strongest")
        if any(f"| {judge} | {active} | {negatives}" in key for key in result["values"])
    ]
    lines = -(-len(panels) // 2)
    figure, axes = pyplot.subplots(lines, 2, figsize=(9.2, 3.2 * lines), squeeze=False)
    colours = {
        "shipped, real names": "#0b6e4f",
        "shipped, key phrases": "#7fb69e",
        "raw, key phrases": "#d17a22",
        "random, key phrases": "#888888",
    }
    grid = np.linspace(0, 1, 201)
    for axis, (judge, negatives, active) in zip(axes.flat, panels, strict=False):
        for name, colour in colours.items():
            values = result["values"].get(f"{name} | {judge} | {active} | {negatives}")
            if values:
                width = max(0.02, 1.06 * float(np.std(values)) * len(values) ** -0.2)
                density = np.exp(-0.5 * ((grid[:, None] - np.array(values)) / width) ** 2).mean(1) / (width * 2.5066)
                axis.plot(grid, density, color=colour, label=f"{name} ({np.mean(values):.2f})", linewidth=1.8)
        axis.axvline(0.5, color="#bbbbbb", linewidth=1, linestyle=":")
        axis.set_title(f"{judge.split(':')[0]} judge; active: {active}, silent: {negatives}", fontsize=9)
        axis.set_xlabel("detection score of a feature")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=7, frameon=False, loc="upper left")
    for axis in axes[:, 0]:
        axis.set_ylabel("density over features")
    figure.tight_layout()
    figure.savefig(path, dpi=140)


if __name__ == "__main__":
    main()
