"""Would another shape of a corpus's own dictionary explain more: residual, nested, or learned from tokens?

    XETRIEVAL_DATA=DIR python -m paper.studies.own_corpora --cache DIR
    XETRIEVAL_DATA=DIR python -m paper.studies.own_shapes residual|nested|wide|tokens --cache DIR [--sets SET ...]
    XETRIEVAL_DATA=DIR python -m paper.studies.own_shapes names --mpnet DIR --cache DIR [--sets SET ...]
        -> results/own_shapes.json; what is there already is not measured again

flat      the dictionary that `index build` learns (batchtopk, F and k by the rule)
residual  the shipped 841 features stay as they are; 128 features are learned from what they leave of the corpus
nested    Matryoshka: the first quarter of the features must reconstruct alone. Only these can have a name; each other
          feature is shown under the one of the first quarter that is nearest to it
wide      the flat one with twice the features
tokens    features are learned from the last states of tokens; those of a text are the k with the largest sum over its
          tokens. A text's vector is the mean of its tokens' states, so the same directions explain it
names     do the labels fit that flat and nested dictionaries show? Judged by another encoder

Figures are those of `own_dictionary`: of each query's three best hits, beside untrained directions by the same rule. A
line is a feature, or a parent with its children. Each corpus has 1,000 passages (865 of english-dup).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import xetrieval
from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import LARGEST, Corpus, encoder_in, open_corpora
from paper.studies.own_dictionary import Results, learn, rows_of, with_controls
from paper.studies.token_shape import token_figures
from xetrieval.arrays import Float32, l2norm
from xetrieval.configs.rule import BATCH, VARIANT, rule
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate.names.judges import HALF_NEAR, NEAR
from xetrieval.explain.attribution import Attribution, attribute_shared
from xetrieval.explain.explained import explained
from xetrieval.explain.support import Overlap
from xetrieval.explain.untrained import SEEDS, untrained
from xetrieval.labels.from_uses import UseLabel, labels_from_uses
from xetrieval.sae import SparseAutoencoder, SparseCodes
from xetrieval.sae.model import Scoring
from xetrieval.sae.train import SaeConfig, train_sae

OUTPUT: Final = RESULTS / "own_shapes.json"
RESIDUAL: Final = {"features": 128, "k": 8}
COARSE: Final = 0.25  # the fraction of a nested dictionary's features that can have a name
LEAST: Final = 0.1  # a line that carries less of score - bias is not shown
SMALLEST: Final = "english-dup"  # it has 865 passages in all
NAMED_SETS: Final = ("english-dup", "scifact", "stackexchange-qa")
TOKEN_SETS: Final = ("english-dup", "scifact")
JUDGED: Final = 150  # pairs of a set


@dataclass(frozen=True, eq=False)
class WithResidual(SparseAutoencoder):
    """Two dictionaries as one: the second encodes what the first leaves."""

    first: SparseAutoencoder | None = field(default=None)
    second: SparseAutoencoder | None = field(default=None)
    exact: bool = False  # the first one's part is its best approximation; random directions have no other

    def encode(self, x: Float32, scoring: Scoring = "float32", *, bulk: bool = False) -> SparseCodes:
        """The codes of both; the second one's ids follow those of the first."""
        assert self.first is not None
        assert self.second is not None
        own = self.first.encode(x)
        rest = self.second.encode(residual(self.first, x, own, exact=self.exact))
        return SparseCodes(
            np.concatenate([own.features, rest.features + self.first.features], axis=1),
            np.concatenate([own.values, rest.values], axis=1),
        )


def residual(sae: SparseAutoencoder, x: Float32, codes: SparseCodes, *, exact: bool = False) -> Float32:
    """What a dictionary leaves of vectors [n, m]."""
    if not exact:
        return x - sae.decode(codes)
    out = x - sae.decoder_bias
    for row in range(len(out)):
        basis, _ = np.linalg.qr(sae.directions[codes.features[row][codes.values[row] > 0]].T)
        out[row] -= basis @ (basis.T @ out[row])
    return out


def together(first: SparseAutoencoder, second: SparseAutoencoder, *, exact: bool = False) -> WithResidual:
    """Both as one, with the bias of the first: the constant part of the residual belongs to the remainder."""
    moved = second.encoder_bias - second.encoder_weight @ second.decoder_bias
    second = replace(second, encoder_bias=moved, decoder_bias=np.zeros_like(second.decoder_bias))
    return WithResidual(
        np.concatenate([first.encoder_weight, second.encoder_weight]),
        np.concatenate([first.encoder_bias, second.encoder_bias]),
        np.concatenate([first.decoder_weight, second.decoder_weight], axis=1),
        first.decoder_bias,
        (first.k or 0) + RESIDUAL["k"],
        None,
        first,
        second,
        exact,
    )


def pairs_of(corpus: Corpus) -> tuple[Float32, Float32]:
    """The vectors of the pairs of a corpus."""
    return corpus.queries[corpus.pairs.query], corpus.documents[corpus.pairs.document]


def residual_figures(corpus: Corpus) -> dict[str, Any]:
    """The shipped dictionary alone, with 128 features of the corpus, and 128 such features alone."""
    shipped, (q, z) = xetrieval.load("minilm").sae, pairs_of(corpus)
    x = rows_of(corpus, "documents+sentences")
    left = residual(shipped, x, shipped.encode(x))
    batch = min(BATCH, len(left))
    epochs = max(1, round(600 * batch / len(left)))
    config = SaeConfig(
        features=RESIDUAL["features"], l0=RESIDUAL["k"], variant=VARIANT, epochs=epochs, batch_size=batch
    )
    rest = train_sae(left, config)
    both, some = together(shipped, rest), left[: len(corpus.documents)]
    frozen = [together(shipped, one) for one in untrained(rest, some, seeds=range(SEEDS))]
    firsts = list(untrained(shipped, corpus.documents, seeds=range(SEEDS)))
    nothing = []
    for seed, first in enumerate(firsts):
        own = residual(first, corpus.documents, first.encode(corpus.documents), exact=True)
        nothing.append(together(first, next(untrained(rest, own, seeds=[seed])), exact=True))
    shares = part_of_second(both, q, z, shipped.features)
    alone, _ = learn(corpus, RESIDUAL["features"], RESIDUAL["k"], variant=VARIANT)
    return {
        "shipped": with_controls(shipped, q, z, firsts),
        "both": with_controls(both, q, z, nothing)
        | {"shipped_and_untrained": round(float(np.mean([explained(one, q, z).explained for one in frozen])), 4)}
        | {"on_residual_features": round(shares, 4)},
        "alone": with_controls(alone, q, z, untrained(alone, corpus.documents, seeds=range(SEEDS))),
    }


def part_of_second(sae: SparseAutoencoder, q: Float32, z: Float32, first: int) -> float:
    """The part of score - bias on features from `first` on."""
    shared, parts = attribute_shared(sae, q, z, sae.encode(q), [sae.encode(z)])
    return float(parts.shares[shared.features >= first].sum() / (parts.score - parts.bias).sum())


@dataclass(frozen=True)
class Nested:
    """A Matryoshka dictionary: its first features can have names, the others are shown under them."""

    sae: SparseAutoencoder
    coarse: int

    @property
    def parents(self) -> NDArray[np.int64]:
        """For each feature, the coarse feature under which it is shown, [F]."""
        unit = l2norm(self.sae.directions)
        found = np.argmax(unit @ unit[: self.coarse].T, axis=1).astype(np.int64)
        found[: self.coarse] = np.arange(self.coarse)
        return found

    @property
    def prefix(self) -> SparseAutoencoder:
        """The coarse features alone."""
        n, sae = self.coarse, self.sae
        assert sae.thresholds is not None
        return replace(
            sae,
            encoder_weight=sae.encoder_weight[:n],
            encoder_bias=sae.encoder_bias[:n],
            decoder_weight=np.ascontiguousarray(sae.decoder_weight[:, :n]),
            thresholds=sae.thresholds[:n],
        )


def learn_nested(corpus: Corpus, features: int, k: int) -> Nested:
    """A nested dictionary of the corpus's passages and sentences."""
    sae, _ = learn(corpus, features, k, variant="matryoshka", nested=(COARSE, 1.0))
    return Nested(sae, round(COARSE * features))


@dataclass(frozen=True)
class Lines:
    """The lines of n pairs: one for each parent that has shared features in a pair."""

    pair: NDArray[np.int64]  # [lines]
    parent: NDArray[np.int64]
    fraction: NDArray[np.float64]  # of score - bias
    activation: Float32  # the smaller one of both texts, of the parent itself; 0 if only children are shared
    own: NDArray[np.float64]  # [n], score - bias


def lines_of(sae: SparseAutoencoder, q: Float32, z: Float32, parents: NDArray[np.int64]) -> Lines:
    """The lines of pairs, with the shares of children added to those of their parents."""
    shared: Overlap
    parts: Attribution
    shared, parts = attribute_shared(sae, q, z, sae.encode(q), [sae.encode(z)])
    pair = np.repeat(np.arange(len(q)), shared.sizes)
    own = parts.score - parts.bias
    parent = parents[shared.features]
    keys, line = np.unique(pair * sae.features + parent, return_inverse=True)
    share = np.bincount(line, weights=parts.shares, minlength=len(keys))
    itself = shared.features == parent
    activation = np.zeros(len(keys), np.float32)
    activation[line[itself]] = np.minimum(shared.query_activation, shared.view_activations[:, 0])[itself]
    of = keys // sae.features
    return Lines(of, keys % sae.features, share / np.where(own > 1e-6, own, np.inf)[of], activation, own)


def line_figures(lines: Lines, pairs: int) -> dict[str, float]:
    """How many lines a pair has, and what they carry."""
    weight = lines.own[lines.pair] * lines.fraction / lines.own.sum()
    shown, under = lines.fraction >= LEAST, lines.activation > 0
    return {
        "lines": round(len(lines.pair) / pairs, 3),
        "under_a_shared_parent": round(float(weight[under].sum()), 4),
        "lines_of_a_tenth": round(float(shown.sum()) / pairs, 3),
        "part_of_these": round(float(weight[shown].sum()), 4),
    }


def nested_figures(corpus: Corpus, times: int) -> dict[str, Any]:
    """A nested dictionary of `times` the rule's F, its prefix alone, and the flat dictionary."""
    found = rule(len(rows_of(corpus, "documents+sentences")))
    q, z = pairs_of(corpus)
    nested = learn_nested(corpus, times * found["features"], found["k"])
    flat, _ = learn(corpus, found["features"], found["k"], variant=VARIANT)
    out = {}
    arms = {"nested": (nested.sae, nested.parents), "flat": (flat, np.arange(flat.features))}
    for name, (sae, parents) in arms.items():
        controls = untrained(sae, corpus.documents, seeds=range(SEEDS))
        out[name] = with_controls(sae, q, z, controls) | line_figures(lines_of(sae, q, z, parents), len(q))
    out["prefix"] = with_controls(nested.prefix, q, z, untrained(nested.prefix, corpus.documents, seeds=range(SEEDS)))
    return {**found, "features": times * found["features"], "coarse": nested.coarse, **out}


def wide_figures(corpus: Corpus, times: int) -> dict[str, Any]:
    """The flat dictionary with `times` the rule's F."""
    found = rule(len(rows_of(corpus, "documents+sentences")))
    q, z = pairs_of(corpus)
    sae, _ = learn(corpus, times * found["features"], found["k"], variant=VARIANT)
    lines = line_figures(lines_of(sae, q, z, np.arange(sae.features)), len(q))
    return {"wide": with_controls(sae, q, z, untrained(sae, corpus.documents, seeds=range(SEEDS))) | lines}


def named_figures(corpus: Corpus, mpnet: CachedEncoder, encoder: CachedEncoder) -> dict[str, Any]:
    """Do the labels fit that both kinds show on some pairs?"""
    found = rule(len(rows_of(corpus, "documents+sentences")))
    drawn = np.sort(np.random.default_rng(0).permutation(len(corpus.pairs.query))[:JUDGED])
    query, document = corpus.pairs.query[drawn], corpus.pairs.document[drawn]
    q, z = corpus.queries[query], corpus.documents[document]
    nested = learn_nested(corpus, found["features"], found["k"])
    flat, _ = learn(corpus, found["features"], found["k"], variant=VARIANT)
    texts = [corpus.benchmark.queries[i] for i in query] + [corpus.benchmark.documents[i].text for i in document]
    read = mpnet.encode_document(texts)
    out: dict[str, Any] = {"pairs": len(drawn)}
    for name, named, sae, parents in (
        ("flat", flat, flat, np.arange(flat.features)),
        ("nested", nested.prefix, nested.sae, nested.parents),
    ):
        labels = labels_of(corpus, named, encoder)
        lines = lines_of(sae, q, z, parents)
        near = label_nearness(labels, encoder.encode_document, q, z)
        shown = [
            i
            for i in np.flatnonzero(lines.fraction >= LEAST).tolist()
            if is_shown(labels[lines.parent[i]], lines.activation[i], near[lines.pair[i], lines.parent[i]])
        ]
        out[name] = judged(lines, shown, labels, mpnet.encode_query, read)
    return out


def labels_of(corpus: Corpus, sae: SparseAutoencoder, encoder: CachedEncoder) -> list[UseLabel]:
    """Labels from uses, as `index build` makes them."""
    texts = [*(one.text for one in corpus.benchmark.documents), *corpus.sentence_texts]
    owner = np.concatenate([np.arange(len(corpus.documents)), corpus.sentence_passages])
    return labels_from_uses(sae, rows_of(corpus, "documents+sentences"), texts, owner, encoder.encode_document)


def label_nearness(
    labels: Sequence[UseLabel], encode: Callable[[list[str]], Float32], q: Float32, z: Float32
) -> Float32:
    """The cosine of each label with the farther of both texts of each pair, [n, F]."""
    of = encode([label.label or "-" for label in labels]).T
    return np.minimum(q @ of, z @ of)


def is_shown(label: UseLabel, activation: float, near: float) -> bool:
    """Whether a label is shown: a line without the parent itself has no activation, so only nearness decides."""
    enough = activation == 0 or activation >= label.threshold
    return label.label is not None and enough and near >= (label.near_from or 0)


def judged(
    lines: Lines, shown: list[int], labels: Sequence[UseLabel], encode: Callable[[list[str]], Float32], texts: Float32
) -> dict[str, Any]:
    """The verdicts of another encoder on the labels shown; `texts` are its vectors of the queries, then of the hits."""
    known = {label.label: place for place, label in enumerate(labels) if label.label}
    cosine = texts @ encode(list(known)).T
    near = (cosine - cosine.mean(axis=0)) / cosine.std(axis=0)
    near = np.minimum(near[: len(texts) // 2], near[len(texts) // 2 :])
    column = {place: i for i, place in enumerate(known.values())}
    value = np.array([near[lines.pair[i], column[int(lines.parent[i])]] for i in shown])
    weight = (lines.own[lines.pair] * lines.fraction / lines.own.sum())[shown]
    return {
        "labels": len(known),
        "shown": len(shown),
        "fits": round(float((value >= NEAR).mean()), 3),
        "not_there": round(float((value < HALF_NEAR).mean()), 3),
        "part_on_shown": round(float(weight.sum()), 3),
        "part_that_fits_or_partly": round(float(weight[value >= HALF_NEAR].sum()), 3),
        "pairs_with_a_label": round(len(set(lines.pair[shown].tolist())) / len(lines.own), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("residual", "nested", "wide", "names", "tokens"))
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--mpnet", type=Path, help="folder of all-mpnet-base-v2")
    parser.add_argument(
        "--largest", action="store_true", help="the largest corpus of each set instead of 1,000 passages"
    )
    given = parser.parse_args()
    results = Results(OUTPUT)
    sets = {"names": NAMED_SETS, "tokens": TOKEN_SETS}.get(given.step, tuple(LARGEST))
    for name in given.sets or sets:
        for size, corpus in open_corpora(name, given.cache).items():
            if size != (LARGEST[name] if given.largest or name == SMALLEST else 1000):
                continue
            if given.step == "residual" and not results.has("residual", corpus, RESIDUAL):
                results.add("residual", corpus, RESIDUAL, residual_figures(corpus))
            for times in (1, 2) if given.step == "nested" else ():
                if not results.has("nested", corpus, {"times": times}):
                    results.add("nested", corpus, {"times": times}, nested_figures(corpus, times))
            if given.step == "wide" and not results.has("wide", corpus, {"times": 2}):
                results.add("wide", corpus, {"times": 2}, wide_figures(corpus, 2))
            if given.step == "names" and not results.has("names", corpus, {}):
                mpnet = CachedEncoder(open_encoder(str(given.mpnet), precision="bfloat16"), given.cache)
                results.add("names", corpus, {}, named_figures(corpus, mpnet, encoder_in(given.cache)))
            if given.step == "tokens" and not results.has("tokens", corpus, {}):
                results.add("tokens", corpus, {}, token_figures(corpus))
        print(name, flush=True)


if __name__ == "__main__":
    main()
