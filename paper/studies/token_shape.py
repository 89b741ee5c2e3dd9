"""A dictionary of token states: what it explains of pairs of texts, beside one of vectors (a step of own_shapes)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from paper.studies.own_corpora import Corpus
from paper.studies.own_dictionary import learn, rows_of, with_controls
from xetrieval.arrays import Float32
from xetrieval.configs.rule import BATCH, VARIANT, rule
from xetrieval.encoders import Role, TokenVectors, open_encoder, read_showing
from xetrieval.explain.untrained import SEEDS, untrained
from xetrieval.sae import SparseAutoencoder, SparseCodes
from xetrieval.sae.measure import reconstruction
from xetrieval.sae.model import Scoring
from xetrieval.sae.train import SaeConfig, train_sae

TOKENS: Final = 200_000  # token states that are learned from
TOKEN_STEPS: Final = 1200  # a dictionary of token states sees more rows


@dataclass(frozen=True, eq=False)
class OfTokens(SparseAutoencoder):
    """A dictionary of token states: `pooled` has the sums of activations of texts whose vectors are known."""

    of_tokens: SparseAutoencoder | None = field(default=None)
    texts: Any = field(default=None)  # for each text: its vector as bytes -> its token states

    def encode(self, x: Float32, scoring: Scoring = "float32", *, bulk: bool = False) -> SparseCodes:
        """The k features with the largest sums over the tokens of each text."""
        assert self.of_tokens is not None
        assert self.k is not None
        out = SparseCodes(np.zeros((len(x), self.k), np.int32), np.zeros((len(x), self.k), np.float32))
        known: dict[bytes, tuple[Any, Any]] = {}
        for row, vector in enumerate(x):
            key = vector.tobytes()
            if key not in known:
                codes = self.of_tokens.encode(self.texts[key])
                sums = np.bincount(codes.features.reshape(-1), codes.values.reshape(-1), self.features)
                best = np.argsort(-sums, kind="stable")[: self.k]
                known[key] = best, sums[best]
            out.features[row], out.values[row] = known[key]
        return out


def token_figures(corpus: Corpus) -> dict[str, Any]:
    """A dictionary of the token states of a corpus's passages beside one of vectors, for the same pairs."""
    states: dict[bytes, Float32] = {}
    passages = [one.text for one in corpus.benchmark.documents]
    queries = shown_states(corpus.benchmark.queries, "query", states)
    documents = shown_states(passages, "document", states)
    q, z = queries[corpus.pairs.query], documents[corpus.pairs.document]
    tokens = np.concatenate([states[row.tobytes()] for row in documents])
    out: dict[str, Any] = {"token_states": len(tokens)}
    tokens = tokens[np.sort(np.random.default_rng(0).permutation(len(tokens))[:TOKENS])]
    found = rule(len(rows_of(corpus, "documents+sentences")))
    features, k = found["features"], found["k"]
    flat, _ = learn(corpus, features, k, variant=VARIANT)
    out["vectors"] = with_controls(flat, q, z, untrained(flat, documents, seeds=range(SEEDS)))
    for times, l0 in ((1, 4), (2, 8)):
        epochs = max(1, round(TOKEN_STEPS * BATCH / len(tokens)))
        config = SaeConfig(features=times * features, l0=l0, variant="topk", epochs=epochs, batch_size=BATCH)
        trained = train_sae(tokens, config)
        controls = [of_text(one, k, states) for one in untrained(trained, tokens, seeds=range(SEEDS))]
        sae = of_text(trained, k, states)
        out[f"tokens, {times * features} features, {l0} a token"] = {
            **with_controls(sae, q, z, controls),
            "fvu_of_tokens": round(float(reconstruction(trained, tokens[::20]).fvu), 4),
        }
    return out


def shown_states(texts: list[str], role: Role, states: dict[bytes, Float32]) -> Float32:
    """The vectors of texts; `states` gets the token states of each, by its vector: their mean is the vector."""
    found: dict[str, Float32] = {}

    def show(text: str, tokens: TokenVectors, _: Float32) -> None:
        mean = np.linalg.norm(tokens.vectors.mean(axis=0))
        found[text] = np.asarray(tokens.vectors / mean, np.float32)

    vectors = read_showing(open_encoder("minilm", precision="bfloat16"), texts, role, show).vectors
    states |= {vector.tobytes(): found[text] for text, vector in zip(texts, vectors, strict=True)}
    return vectors


def of_text(sae: SparseAutoencoder, k: int, states: dict[bytes, Float32]) -> OfTokens:
    """A dictionary of token states, used on texts: k features a text."""
    weights = sae.encoder_weight, sae.encoder_bias, sae.decoder_weight, sae.decoder_bias
    return OfTokens(*weights, k, None, sae, states)
