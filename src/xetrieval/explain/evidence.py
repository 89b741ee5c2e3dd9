"""Evidence: the sentences and words of the document and of the query that carry a term's share.

The split is exact where the encoder gives a vector per token and its embedding is their mean; elsewhere it is estimated
by leaving out one sentence at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from ..arrays import Float32, Float64, IntArray
from ..data import split_sentences
from ..data.sentences import Sentence
from ..encoders import Role, TokenVectors, read_texts, token_vectors
from ..errors import InputError
from ..options import check
from ..records import Brief
from .token_shares import FeatureSpan, TokenShares

if TYPE_CHECKING:
    from .contrast import Contrast
    from .explainer import Explainer
    from .explanation import Explanation

Method = Literal["exact", "estimate"]
TOLERANCE: Final = 1e-3  # if the parts of a share miss it by more than this, the split is estimated


class TokenShare(NamedTuple):
    """text[start:end], one token, and its part of a term's share."""

    start: int
    end: int
    share: float


class SentenceShare(NamedTuple):
    """text[start:end], its part of a term's share, and the feature's activation on the sentence alone."""

    start: int
    end: int
    text: str
    share: float  # exact: the sum of its tokens. estimate: what the share loses without the sentence
    activation: float  # activation on the vector of the sentence alone, as a cross-check; 0 if not active
    read: bool  # False: past the encoder's limit


@dataclass(frozen=True)
class TextEvidence(Brief):
    """One side of a term. Where `method` is exact, share = sentences + special + prompt + constant + rounding."""

    method: Method
    sentences: tuple[SentenceShare, ...]  # in the order of the text
    tokens: tuple[TokenShare, ...] = ()  # tokens of the text; empty where `method` is estimate
    special: float = 0.0  # special tokens, added by the model
    prompt: float = 0.0  # tokens of the encoder's prompt
    constant: float = 0.0  # -<p_j, b><q, w_j>, which belongs to no token
    rounding: float = 0.0  # difference between this reading of the text and the one that was ranked

    @property
    def strongest(self) -> tuple[SentenceShare, ...]:
        """The sentences that were read, by signed share, largest first."""
        return tuple(sorted((s for s in self.sentences if s.read), key=lambda s: -s.share))


@dataclass(frozen=True)
class Evidence(Brief):
    """Both sides of one term. Each side splits the same share."""

    document: TextEvidence
    query: TextEvidence


class Pair(NamedTuple):
    """An explained pair's data that the evidence of both texts needs."""

    explainer: Explainer
    features: IntArray  # S, all shared features, ascending
    span: FeatureSpan  # of S
    groups: list[IntArray]  # [S] positions in `features` of each term: the feature and its twins
    leaders: list[int]  # [S] the feature that each term is named after
    shares: Float64  # [S] of each term
    q: Float32  # [m]
    z: Float32  # [m]


def pair_of(explainer: Explainer, explanation: Explanation, q: Float32, z: Float32) -> Pair:
    """The terms of an explanation with the vectors of its texts."""
    terms = sorted((term for term in explanation.terms if term.ids), key=lambda term: term.ids[0])
    features = np.array(sorted(j for term in terms for j in term.ids), np.int32)
    groups = [np.searchsorted(features, term.ids).astype(np.int32) for term in terms]
    shares = np.array([term.share for term in terms], np.float64)
    span = FeatureSpan(explainer.sae.directions, explainer.sae.decoder_bias, features)
    return Pair(explainer, features, span, groups, [term.ids[0] for term in terms], shares, q, z)


class _Side(NamedTuple):
    """One text, its sentences, and their parts of the shares; row i belongs to feature i of S."""

    text: str
    sentences: list[Sentence]
    by_sentence: Float64  # [S, sentences]
    activations: Float32  # [S, sentences]
    tokens: TokenVectors | None  # None: estimated
    split: TokenShares | None

    @property
    def read_to(self) -> int:
        """How many characters the encoder read; all of them if it does not show its tokens."""
        return len(self.text) if self.tokens is None else max((end for _, end in self.tokens.spans), default=0)


def with_evidence(explainer: Explainer, explanation: Explanation, top: int | None) -> Explanation:
    """The explanation with the words behind its `top` terms of largest |share|.

    Raises:
        InputError: it was made from vectors, without texts, or of a steered document.
    """
    check("explain", {"steer": explanation.steered, "evidence": True}, {"steer": "a steered document"})
    if explanation.mode != "dense":
        raise InputError(f"evidence needs a dense explanation; this one is of the {explanation.mode} score")
    return _with_words(explainer, explanation, [j for term in explanation.top(top).terms for j in term.ids[:1]])


def contrast_with_evidence(explainer: Explainer, contrast: Contrast, top: int | None) -> Contrast:
    """The contrast with the words behind its `top` terms of largest |difference|, in both documents.

    Raises:
        InputError: it was made from vectors, without texts.
    """
    chosen = [j for term in contrast.top(top).first.terms for j in term.ids[:1]]
    first, second = (_with_words(explainer, side, chosen) for side in (contrast.first, contrast.second))
    return replace(contrast, first=first, second=second)


def _with_words(explainer: Explainer, explanation: Explanation, chosen: Sequence[int]) -> Explanation:
    """The explanation with the words behind the terms of the features `chosen`."""
    if not explanation.query or not explanation.document:
        raise InputError("evidence needs the texts; this explanation was made from vectors alone")
    encoder = explainer.encoder
    q = read_texts(encoder, [explanation.query], "query").vectors[0]
    pair = pair_of(explainer, explanation, q, read_texts(encoder, [explanation.document], "document").vectors[0])
    query, document = _side(pair, explanation.query, "query"), _side(pair, explanation.document, "document")
    row = {j: i for i, j in enumerate(pair.leaders)}
    found = {j: Evidence(_evidence(pair, document, row[j]), _evidence(pair, query, row[j])) for j in chosen}
    return replace(
        explanation,
        terms=tuple(
            replace(term, evidence=found.get(term.feature_id or 0) if term.ids else None) for term in explanation.terms
        ),
        query_read_to=query.read_to if query.tokens and explanation.read_query.unread else None,
        document_read_to=document.read_to if document.tokens and explanation.read_document.unread else None,
    )


def _side(pair: Pair, text: str, role: Role) -> _Side:
    sentences = split_sentences(text)
    own = read_texts(pair.explainer.encoder, [sentence.text for sentence in sentences], role).vectors
    sae = pair.explainer.sae
    activations = sae.encode(own).dense(sae.features)[:, pair.features].T
    activations = np.array([activations[group].max(axis=0) for group in pair.groups]).reshape(-1, len(sentences))
    tokens = token_vectors(pair.explainer.encoder, text, role)
    if tokens is not None:
        split = token_split(pair, tokens, role)
        if split is not None:
            return _Side(text, sentences, _by_sentence(split, tokens, sentences), activations, tokens, split)
    return _Side(text, sentences, _left_out(pair, text, sentences, role), activations, None, None)


def token_split(pair: Pair, tokens: TokenVectors, role: Role) -> TokenShares | None:
    """The shares over the tokens of one text; None if these do not add up to the vector that was ranked."""
    of_document = role == "document"
    split = (
        pair.span.over_document(pair.q, tokens.vectors) if of_document else pair.span.over_query(pair.z, tokens.vectors)
    )
    split = TokenShares(*(_by_term(pair, parts) for parts in split))
    adds_up = len(pair.shares) == 0 or np.abs(split.total - pair.shares).max() <= TOLERANCE
    return split if adds_up else None


def _by_term(pair: Pair, parts: Float64) -> Float64:
    """Parts of each feature of S, added up over the features of one term."""
    if len(pair.groups) == len(pair.features):
        return parts
    return np.stack([parts[group].sum(axis=0) for group in pair.groups])


def _by_sentence(split: TokenShares, tokens: TokenVectors, sentences: list[Sentence]) -> Float64:
    out = np.zeros((len(split.tokens), len(sentences)))
    starts = np.array([sentence.start for sentence in sentences])
    for i, ((start, end), kind) in enumerate(zip(tokens.spans, tokens.kinds, strict=True)):
        if kind == "text":  # a token belongs to where it ends: some tokenizers include the space before it
            last = max(start, end - 1)
            out[:, max(0, int(np.searchsorted(starts, last, side="right")) - 1)] += split.tokens[:, i]
    return out


def _left_out(pair: Pair, text: str, sentences: list[Sentence], role: Role) -> Float64:
    """How much of each share is lost if a sentence is left out, with S fixed; a single sentence has all of it."""
    rests = [sentence.left_out(text) for sentence in sentences]
    if not all(rest.strip() for rest in rests):
        return np.repeat(pair.shares[:, None], len(sentences), axis=1)
    return losses(pair, rests, role)


def losses(pair: Pair, rests: Sequence[str], role: Role) -> Float64:
    """How much of each share is lost if a text is replaced by each of `rests`, with S fixed: [S, rests]."""
    vectors = read_texts(pair.explainer.encoder, rests, role).vectors
    pairs = [(pair.q, z) for z in vectors] if role == "document" else [(q, pair.z) for q in vectors]
    without = [_by_term(pair, pair.span.shares(*one)) for one in pairs]
    return np.asarray(pair.shares[:, None] - np.stack(without, axis=1))


def _evidence(pair: Pair, side: _Side, row: int) -> TextEvidence:
    read_to = side.read_to
    sentences = tuple(
        SentenceShare(
            sentence.start,
            sentence.end,
            sentence.text,
            float(side.by_sentence[row, i]),
            float(side.activations[row, i]),
            read=sentence.start < read_to,
        )
        for i, sentence in enumerate(side.sentences)
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
