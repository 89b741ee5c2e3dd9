"""The words of both texts that carry a term's share, shown beside its line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, l2norm
from ..encoders import Role, token_vectors
from ..records import Brief
from ..terms import stem
from ..text import STOP_WORDS, WORD, fold, printable, shorten
from .evidence import Pair, TokenShare, losses, pair_of, token_split
from .matching import LEAST, LEAST_COMPARED, MOST, Carrier, alone, matching, matching_pairs, one_word
from .naming import name_stems, named

if TYPE_CHECKING:
    from .explainer import Explainer
    from .explanation import Explanation

MOST_COMPARED: Final = 6  # how many words of one text are compared with those of the other
MOST_LEFT_OUT: Final = 48  # how many words of one text are left out in turn
LONGEST: Final = 32  # characters of a word
UNSPACED: Final = re.compile(  # scripts without spaces between words: each token is shown as it is
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
Spans = Sequence[tuple[int, int]]
MUCH_MORE: Final = 2  # a stop word is shown if it carries this many times more than the strongest other word
MARKUP: Final = frozenset(("amp", "com", "gt", "html", "http", "https", "lt", "nbsp", "org", "quot", "versus", "www"))
FUNCTION_WORDS: Final = STOP_WORDS | MARKUP | {fold(word) for word in STOP_WORDS}  # folding cuts the s off "does"
QUOTES: Final = "'’‘-_"  # around a word that is quoted or hyphenated


@dataclass(frozen=True)
class Words(Brief):
    """Words that carry a term's share, strongest first; for texts in `of_activation`, they carry its activation."""

    query: tuple[str, ...]
    document: tuple[str, ...]
    of_activation: tuple[Role, ...] = ()  # texts whose words were not computed for this score

    json_keys = ("query", "document", "of_activation?", "shared?")

    @property
    def shared(self) -> str | None:
        """The first word of the query that the document's words have too, in any form; the shorter form."""
        pairs = ((a, b) for a in self.query for b in self.document)
        return next((min(a, b, key=len) for a, b in pairs if one_word(key_of(a), key_of(b))), None)


@dataclass(frozen=True)
class PartWords(Brief):
    """Words that carry the parts of a score without a line of their own; None: the part is small."""

    weak_features: Words | None = None
    remainder: Words | None = None
    score: Words | None = None  # without the bias


def with_words(
    explainer: Explainer,
    explanation: Explanation,
    q: Float32,
    z: Float32,
    roles: Sequence[Role] = ("query", "document"),
    *,
    estimate: bool = False,
) -> Explanation:
    """The explanation with the words that carry each term's share, if the encoder shows its tokens.

    Args:
        q, z: the vectors that the explanation was made from.
        roles: the texts to take words from.
        estimate: if it does not, leave out one word at a time and encode the rest of the text.
    """
    texts = {"query": explanation.query, "document": explanation.document}
    if explanation.mode != "dense" or explanation.steered or not all(texts.values()):
        return explanation
    pair = pair_of(explainer, explanation, q, z)
    split = {role: _words(pair, texts[role], role) for role in roles}
    if estimate:
        split = {role: carried or _left_out(pair, texts[role], role) for role, carried in split.items()}
    found = {role: carried for role, carried in split.items() if carried}
    if not found:
        return explanation
    place = {leader: i for i, leader in enumerate(pair.leaders)}
    sides, left = [], []
    for term in explanation.terms:
        known, row = term.words or Words((), ()), place[term.ids[0]]
        new = {role: carried.by(carried.parts[row], term.share) for role, carried in found.items()}
        sides.append((new.get("query", carriers(known.query)), new.get("document", carriers(known.document))))
        left.append(tuple(role for role in known.of_activation if role not in new))
    explanation = beside(explainer, explanation, sides, left)
    if len(found) < len(texts):
        return explanation
    weak = [place[term.ids[0]] for term in explanation.terms if term.feature_id in explanation.weak_features]
    return replace(explanation, part_words=_part_words(explanation, found["query"], found["document"], weak))


def _part_words(explanation: Explanation, query: _Carried, document: _Carried, weak: Sequence[int]) -> PartWords:
    """The words of the parts that carry at least a tenth of (score - bias); `weak`: rows of the weak features."""

    def words(share: float, rows: Sequence[Float64 | None]) -> Words | None:
        one, other = rows
        if one is None or other is None or abs(share) < explanation.least_share:
            return None
        return Words(*matching_pairs(query.by(one, share), document.by(other, share)))

    shares = sum(term.share for term in explanation.terms if term.feature_id in explanation.weak_features)
    sides = (query, document)
    return PartWords(
        words(shares, [side.parts[weak].sum(axis=0) for side in sides]) if weak else None,
        words(explanation.remainder, [side.rest for side in sides]),
        words(explanation.score - explanation.bias, [side.whole for side in sides]),
    )


def beside(
    explainer: Explainer,
    explanation: Explanation,
    sides: Sequence[tuple[Sequence[Carrier], Sequence[Carrier]]],
    of_activation: Sequence[tuple[Role, ...]],
) -> Explanation:
    """The explanation with words beside each term and, where possible, names chosen from those words.

    Args:
        sides: for each term, the words of the query and of the document that carry it.
        of_activation: the texts whose words carry the term's activation, not this share.
    """
    carried = [({stem(word.key) for word in query}, {stem(word.key) for word in document}) for query, document in sides]
    terms = list(explanation.terms)
    if explanation.mode != "concept":  # whose features were chosen by label
        texts = (explanation.query, explanation.document)
        terms = named(terms, explainer.features, texts, explanation.least_share, carried)
    seen = set[tuple[str, str]]()
    for i, ((query, document), left) in enumerate(zip(sides, of_activation, strict=True)):
        name = name_stems(terms[i].name_here or terms[i].label or "")
        matched = matching(query, document, seen, name) if terms[i].share >= 0 else (alone(query), alone(document))
        if any(matched) or (terms[i].kind == "feature" and not left):
            terms[i] = replace(terms[i], words=Words(*matched, left))
    return replace(explanation, terms=tuple(terms))


class _Carried(NamedTuple):
    """What the words of one text carry."""

    words: list[str]
    parts: Float64  # [S, words] of the share of each term
    rest: Float64 | None = None  # [words] of the remainder; None: not known
    vectors: Float64 | None = None

    @property
    def whole(self) -> Float64 | None:
        """Their parts of the score without the bias, [words]."""
        return None if self.rest is None else np.asarray(self.parts.sum(axis=0) + self.rest)

    def by(self, parts: Float64, share: float) -> list[Carrier]:
        """The words that carry most of a share, which `parts` add up to."""
        return carriers_of(self.words, parts if share >= 0 else -parts, self.vectors)


def carriers(words: Sequence[str]) -> list[Carrier]:
    """Carriers for words about which nothing else is known."""
    return [Carrier(key_of(word), word, 1.0, None) for word in words]


def _words(pair: Pair, text: str, role: Role) -> _Carried | None:
    """What the words of one text carry of each term of the pair; None if it cannot be split exactly."""
    tokens = token_vectors(pair.explainer.encoder, text, role)
    split = None if tokens is None else token_split(pair, tokens, role)
    if tokens is None or split is None:
        return None
    kept = [i for i, kind in enumerate(tokens.kinds) if kind == "text"]
    spans = [tokens.spans[i] for i in kept]
    of_document, h = role == "document", tokens.vectors
    rest = pair.span.rest_over_document(pair.q, h) if of_document else pair.span.rest_over_query(pair.z, h)
    places, parts = word_parts(text, spans, np.vstack([split.tokens, rest])[:, kept])
    names = [word_at(text, place) for place in places]
    vectors = l2norm(word_parts(text, spans, tokens.vectors[kept].T.astype(np.float64))[1].T)
    vectors = l2norm(vectors - pair.explainer.sae.decoder_bias)  # the part common to all texts
    return _Carried(names, parts[:-1], parts[-1], vectors)


def _left_out(pair: Pair, text: str, role: Role) -> _Carried | None:
    """The words whose removal costs each share most; of a long text, only the first 48 content words are tried."""
    places: dict[str, list[tuple[int, int]]] = {}
    for word in WORD.finditer(text):
        key = key_of(word_at(text, word.span()))
        if rank_of(key) == 0:
            places.setdefault(key, []).append(word.span())
    rests = {}
    for key, spans in list(places.items())[:MOST_LEFT_OUT]:
        ends = [0, *(end for _, end in spans)]
        rest = "".join(text[end:start] for end, start in zip(ends, [*(start for start, _ in spans), None], strict=True))
        if rest.strip():
            rests[key] = rest
    if not rests:
        return None
    return _Carried([text[slice(*places[key][0])] for key in rests], losses(pair, list(rests.values()), role))


def word_parts(text: str, spans: Spans, parts: Float64) -> tuple[list[tuple[int, int]], Float64]:
    """Join tokens into words: positions of the words in `text`, in order, and what they carry, [S, words].

    Args:
        spans: text[start:end] of each token. parts: [S, tokens].
    """
    places, owner = words_of_tokens(text, spans)
    joined = np.zeros((len(parts), len(places)))
    np.add.at(joined.T, owner, parts.T)
    return places, joined


def words_of_tokens(text: str, spans: Spans) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
    """Positions of the words in `text`, in order, and the word [tokens] that each token belongs to."""
    words = [match.span() for match in WORD.finditer(text)]
    starts = np.array([start for start, _ in words])
    places: list[tuple[int, int]] = []
    owner: NDArray[np.int64] = np.empty(len(spans), np.int64)
    for token, (start, end) in enumerate(spans):
        last = max(start, end - 1)  # a token belongs to the word it ends in: some include the space before it
        word = int(np.searchsorted(starts, last, side="right")) - 1
        inside = word >= 0 and last < words[word][1] and not UNSPACED.search(text[start:end])
        place = words[word] if inside else (start, end)
        if not places or places[-1] != place:
            places.append(place)
        owner[token] = len(places) - 1
    return places, owner


def word_at(text: str, place: tuple[int, int]) -> str:
    """The word at a position, including the backslash of a LaTeX command."""
    start, end = place
    return text[start - (start > 0 and text[start - 1] == "\\") : end]


def joined_words(tokens: Sequence[TokenShare], text: str) -> list[tuple[str, float]]:
    """Join tokens into words, each with its part of the share."""
    shares = np.array([[token.share for token in tokens]])
    places, parts = word_parts(text, [(token.start, token.end) for token in tokens], shares)
    return [(text[start:end], float(part)) for (start, end), part in zip(places, parts[0], strict=True)]


def carriers_of(words: Sequence[str], carried: Float64, vectors: Float64 | None = None) -> list[Carrier]:
    """The words that carry most, each once, for comparison with those of the other text; see `strongest`."""
    total: dict[str, float] = {}
    most: dict[str, int] = {}  # the position where each word carries most
    for i, (word, part) in enumerate(zip(words, carried.tolist(), strict=True)):
        key = key_of(word)
        total[key] = total.get(key, 0.0) + part
        most[key] = max(most.get(key, i), i, key=lambda place: carried[place])
    keys, ranks = list(total), np.array([*map(rank_of, total)])
    chosen = strongest(ranks, np.array([list(total.values())]), MOST_COMPARED, LEAST_COMPARED)[0]
    largest: dict[int, float] = {}  # per rank, since stop words are not compared with other words
    found = []
    for i in chosen[chosen >= 0].tolist():
        key, place = keys[i], most[keys[i]]
        part = total[key] / largest.setdefault(ranks[i], total[key])
        found.append(Carrier(key, as_shown(words[place]), part, None if vectors is None else vectors[place]))
    return found


def strongest(ranks: NDArray[Any], carried: Float64, most: int = MOST, least: float = LEAST) -> NDArray[np.int64]:
    """Positions [S, most] of the words that carry most of each of S shares, the strongest first; -1: no further word.

    Stop words are included only if they carry more than twice as much as any other word, or if no other word carries
    anything; punctuation only in the latter case.

    Args:
        ranks: of the words, see `rank_of`. carried: [S, words].
        least: fraction of the strongest word's part; words with less are left out.
    """
    carried = np.pad(carried, ((0, 0), (0, most)))
    ranks = np.pad(ranks, (0, most), constant_values=3)
    (content, first), (stops, stop), (marks, _) = (
        _best(np.where(ranks == rank, carried, 0), most, least) for rank in range(3)
    )
    out = np.where((first > 0)[:, None], content, np.where((stop > 0)[:, None], stops, marks))
    let_in = (first > 0) & (stop > MUCH_MORE * first)
    out[let_in] = np.column_stack([stops[let_in, 0], content[let_in, :-1]])
    return out


def _best(carried: Float64, most: int, least: float) -> tuple[NDArray[np.int64], Float64]:
    order = np.argsort(-carried, axis=1, kind="stable")[:, :most]
    values = np.take_along_axis(carried, order, 1)
    return np.where((values > 0) & (values >= least * values[:, :1]), order, -1), values[:, 0]


def as_shown(word: str) -> str:
    """A word without surrounding quotes, cut if it is long."""
    return shorten(word.strip(QUOTES), LONGEST) or fold(word)


def key_of(word: str) -> str:
    """A word without surrounding marks, so that all its spellings count as one word."""
    return fold(word.strip(QUOTES)) or word


def rank_of(word: str) -> int:
    """0 for a content word, 1 for a stop word, a single letter or markup, 2 for punctuation."""
    if not any(character.isalnum() for character in printable(word)):
        return 2
    lone = len(word) == 1 and word.isascii() and word.isalpha()
    return 1 if lone or word in FUNCTION_WORDS or word.startswith("\\") else 0
