"""Evidence for the features of one explanation: exact where the encoder shows its tokens, by leaving out elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..arrays import Float32, Float64, IntArray
from ..data import split_sentences
from ..data.sentences import Sentence
from ..encoders import Role, TokenVectors, read_texts, token_vectors
from ..errors import InputError
from ..options import check
from .contrast import Contrast
from .evidence import Evidence, FeatureEvidence, SentenceShare, TextEvidence, TokenShare
from .explanation import DEFAULT_TOP, Explanation
from .token_shares import TokenShares, document_token_shares, query_token_shares, shares_of

if TYPE_CHECKING:
    from .explainer import Explainer

TOLERANCE: Final = 1e-3  # of a share; a reading further from the ranked vector than this is no exact split of it


class _Pair(NamedTuple):
    """What both sides need."""

    explainer: Explainer
    features: IntArray  # S, all shared features, ascending
    groups: list[IntArray]  # [S] places of the features that each line of the explanation holds: itself, and its twins
    shares: Float64  # [S] of each line
    q: Float32  # [m]
    z: Float32  # [m]


class _Side(NamedTuple):
    """One text, its sentences, and the shares over them; rows are those of S."""

    text: str
    sentences: list[Sentence]
    by_sentence: Float64  # [S, sentences]
    activations: Float32  # [S, sentences]
    tokens: TokenVectors | None  # None: estimated
    split: TokenShares | None


def with_evidence(explainer: Explainer, explanation: Explanation, top: int | None = DEFAULT_TOP) -> Explanation:
    """The explanation with evidence for its `top` features of largest |share|.

    Raises:
        InputError: it was made from vectors, without texts, or of a steered document.
    """
    check("explain", {"steer": explanation.steered, "evidence": True}, {"steer": "a steered document"})
    if not explanation.query or not explanation.document:
        raise InputError("evidence needs the texts; this explanation was made from vectors alone")
    shares = {f.id: f.share for f in explanation.features}
    twins = {f.id: f.twins for f in explanation.features if f.twins}
    evidence = gather(
        explainer,
        (explanation.query, explanation.document),
        (shares, twins),
        [feature.id for feature in explanation.top(top)[0]],
        (explanation.read_query.unread, explanation.read_document.unread),
    )
    return replace(explanation, evidence=evidence)


def contrast_with_evidence(explainer: Explainer, contrast: Contrast, top: int | None = DEFAULT_TOP) -> Contrast:
    """The contrast with evidence, in both documents, for its `top` features of largest |difference|.

    Raises:
        InputError: it was made from vectors, without texts.
    """
    if not contrast.query or not contrast.first or not contrast.second:
        raise InputError("evidence needs the texts; this contrast was made from vectors alone")
    shown = [feature.id for feature in contrast.top(top)[0]]
    twins = {f.id: f.twins for f in contrast.features if f.twins}
    first = gather(
        explainer,
        (contrast.query, contrast.first),
        ({f.id: f.first for f in contrast.features}, twins),
        shown,
        (contrast.read_query.unread, contrast.read_first.unread),
    )
    second = gather(
        explainer,
        (contrast.query, contrast.second),
        ({f.id: f.second for f in contrast.features}, twins),
        shown,
        (contrast.read_query.unread, contrast.read_second.unread),
    )
    return replace(contrast, evidence=(first, second))


def gather(
    explainer: Explainer,
    texts: tuple[str, str],
    lines: tuple[Mapping[int, float], Mapping[int, tuple[int, ...]]],
    shown: Sequence[int],
    unread: tuple[int, int],
) -> Evidence:
    """Where the shares of some features come from.

    Args:
        texts: query and document. lines: the share of every line of the explanation by its feature, and the twins that
            stand on it. shown: the features asked for.
        unread: tokens of query and document past the encoder's limit.
    """
    shares, twins = lines
    led = sorted(shares)
    features = np.array(sorted(j for i in led for j in (i, *twins.get(i, ()))), np.int32)
    pair = _Pair(
        explainer,
        features,
        [np.searchsorted(features, (i, *twins.get(i, ()))).astype(np.int32) for i in led],
        np.array([shares[i] for i in led], np.float64),
        read_texts(explainer.encoder, [texts[0]], "query").vectors[0],
        read_texts(explainer.encoder, [texts[1]], "document").vectors[0],
    )
    query, document = _side(pair, texts[0], "query"), _side(pair, texts[1], "document")
    row = {feature: place for place, feature in enumerate(led)}
    return Evidence(
        tuple(FeatureEvidence(i, _evidence(pair, document, row[i]), _evidence(pair, query, row[i])) for i in shown),
        _read_to(query.tokens, unread[0]),
        _read_to(document.tokens, unread[1]),
    )


def _side(pair: _Pair, text: str, role: Role) -> _Side:
    sentences = split_sentences(text)
    own = read_texts(pair.explainer.encoder, [sentence.text for sentence in sentences], role).vectors
    sae = pair.explainer.sae
    activations = sae.encode(own).dense(sae.features)[:, pair.features].T
    activations = np.array([activations[group].max(axis=0) for group in pair.groups]).reshape(-1, len(sentences))
    tokens = token_vectors(pair.explainer.encoder, text, role)
    if tokens is not None:
        split = _split(pair, tokens.vectors, role)
        if len(pair.shares) == 0 or np.abs(split.total - pair.shares).max() <= TOLERANCE:
            return _Side(text, sentences, _by_sentence(split, tokens, sentences), activations, tokens, split)
    return _Side(text, sentences, _left_out(pair, text, sentences, role), activations, None, None)


def _split(pair: _Pair, tokens: Float32, role: Role) -> TokenShares:
    sae = pair.explainer.sae
    if role == "document":
        split = document_token_shares(pair.q, tokens, sae.directions, sae.decoder_bias, pair.features)
    else:
        split = query_token_shares(pair.z, tokens, sae.directions, sae.decoder_bias, pair.features)
    return TokenShares(_by_line(pair, split.tokens), _by_line(pair, split.constant))


def _by_line(pair: _Pair, parts: Float64) -> Float64:
    """What belongs to each feature of S, summed over those that stand on one line."""
    if len(pair.groups) == len(pair.features):
        return parts
    return np.stack([parts[group].sum(axis=0) for group in pair.groups])


def _by_sentence(split: TokenShares, tokens: TokenVectors, sentences: list[Sentence]) -> Float64:
    out = np.zeros((len(split.tokens), len(sentences)))
    starts = np.array([sentence.start for sentence in sentences])
    for place, ((start, end), kind) in enumerate(zip(tokens.spans, tokens.kinds, strict=True)):
        if kind == "text":  # a token belongs where it ends: some tokenizers give it the space before it
            letter = max(start, end - 1)
            out[:, max(0, int(np.searchsorted(starts, letter, side="right")) - 1)] += split.tokens[:, place]
    return out


def _left_out(pair: _Pair, text: str, sentences: list[Sentence], role: Role) -> Float64:
    """What each share loses when a sentence is left out of the text, S held fixed; a lone sentence has it all."""
    rests = [text[: sentence.start] + text[sentence.end :] for sentence in sentences]
    if not all(rest.strip() for rest in rests):
        return np.repeat(pair.shares[:, None], len(sentences), axis=1)
    sae = pair.explainer.sae
    without = [
        _by_line(
            pair,
            shares_of(
                rest if role == "query" else pair.q,
                rest if role == "document" else pair.z,
                sae.directions,
                sae.decoder_bias,
                pair.features,
            ),
        )
        for rest in read_texts(pair.explainer.encoder, rests, role).vectors
    ]
    return np.asarray(pair.shares[:, None] - np.stack(without, axis=1))


def _evidence(pair: _Pair, side: _Side, row: int) -> TextEvidence:
    read_to = len(side.text) if side.tokens is None else max((end for _, end in side.tokens.spans), default=0)
    sentences = tuple(
        SentenceShare(
            sentence.start,
            sentence.end,
            sentence.text,
            float(side.by_sentence[row, place]),
            float(side.activations[row, place]),
            read=sentence.start < read_to,
        )
        for place, sentence in enumerate(side.sentences)
    )
    if side.tokens is None or side.split is None:
        return TextEvidence("estimate", sentences)
    shares = side.split.tokens[row]
    of = {kind: float(shares[[k == kind for k in side.tokens.kinds]].sum()) for kind in ("special", "prompt")}
    return TextEvidence(
        "exact",
        sentences,
        tuple(
            TokenShare(start, end, float(share))
            for (start, end), kind, share in zip(side.tokens.spans, side.tokens.kinds, shares, strict=True)
            if kind == "text"
        ),
        of["special"],
        of["prompt"],
        float(side.split.constant[row]),
        float(pair.shares[row] - side.split.total[row]),
    )


def _read_to(tokens: TokenVectors | None, unread: int) -> int | None:
    return max(end for _, end in tokens.spans) if tokens is not None and unread else None
