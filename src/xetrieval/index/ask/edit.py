"""What a change of a document's text does to its rank: sentences left out, a text of the user's, a rewritten sentence.

Every changed text is encoded and ranked among the stored vectors, so scores and ranks are those that the index would
give. Nothing is estimated, and the index stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ...arrays import Float32
from ...data import split_sentences
from ...data.sentences import Sentence
from ...encoders import as_text, read_texts, to_send
from ...encoders.same import first_difference
from ...errors import InputError, MismatchError
from ...explain import Contrast
from ...explain.contrast import contrast_vectors
from ...explain.pairs import reading
from ...explain.word_states import query_words
from ...explain.words import as_shown, key_of, rank_of, with_words
from ...features import LabelledFeature
from ...options import check_flag
from ...records import Record
from ...sae import SparseCodes
from ...terms import same_family, stem
from ...text import WORD, clip, fold
from ..search.mode import Query
from ..search.ranking import check_k, prepare, warn_foreign
from ..store.texts import StoredDocument
from .others import TOP
from .why import all_scores, rank_in

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index

SENTENCES: Final = 48  # most sentences that are left out, one at a time
MISSING: Final = 8  # features of the query that the document lacks


@dataclass(frozen=True)
class LeftOut(Record):
    """The document without one sentence, text[start:end]."""

    start: int
    end: int
    text: str
    score_after: float
    rank_after: int


@dataclass(frozen=True)
class MissingFeature(LabelledFeature):
    """A feature of the query that the document lacks."""

    query_activation: float
    query_words: tuple[str, ...]  # words of the query that carry it; empty if they are not known
    hits: int  # how many of the ten best other documents have it


@dataclass(frozen=True)
class NewText(Record):
    """A changed text of the document, and what it does."""

    text: str
    source: str  # "given", or the language model that rewrote a sentence
    score_after: float
    rank_after: int
    contrast: Contrast  # the new text first, the stored one second
    sentence: str = ""  # the sentence that was rewritten
    rewritten: str = ""


@dataclass(frozen=True)
class TextEdits(Record):
    """What changes of its text do to a document's rank."""

    query: str
    doc_id: str
    title: str
    rank: int
    score: float
    documents: int
    encoded: int  # how many texts were encoded, or read from the cache
    sentences: tuple[LeftOut, ...]  # the one whose removal lowers the score most comes first
    missing: tuple[MissingFeature, ...]
    missing_words: tuple[str, ...]
    changed: NewText | None = None
    notes: tuple[str, ...] = ()

    @property
    def down(self) -> tuple[LeftOut, ...]:
        """Sentences without which the document scores lower, the largest change first."""
        return tuple(one for one in self.sentences if one.score_after < self.score)

    @property
    def up(self) -> tuple[LeftOut, ...]:
        """Sentences without which it scores higher, the largest change first."""
        return tuple(one for one in reversed(self.sentences) if one.score_after > self.score)

    def __str__(self) -> str:
        from ...render.text import without_colour
        from .tables import edit_parts

        return without_colour(*edit_parts(self)).rstrip()


@dataclass(frozen=True, eq=False)
class EditTask:
    """A query, a document and the changed texts to try; `texts` are the ones that will be encoded."""

    index: Index
    query: Query
    row: int
    stored: StoredDocument
    scores: Float32  # of all rows
    sentences: Sequence[Sentence]  # to leave out
    given: str | None
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, index: Index, query: str | object, doc_id: str, text: str | None = None, sentences: int = SENTENCES
    ) -> EditTask:
        """The task of one document; of a document cut into chunks, of the chunk that ranks best.

        Args:
            text: a new text to check; None: leave out one sentence at a time.
            sentences: leave out at most this many, the first ones.
        Raises:
            InputError: no such document, it has no text in the index, or the new text is empty.
        """
        check_k(sentences, "sentences")
        if text is not None and not as_text(text, "new text").strip():
            raise InputError("the new text is empty; give some text")
        rows = index.rows_of(doc_id) if isinstance(doc_id, str) else []
        rows = rows or [index.row_of(doc_id)]
        if not any(index.document(row).text.strip() for row in rows):
            raise InputError(f"{index.folder}: {clip(doc_id, 80)!r} has no text here, only a vector; nothing to edit")
        prepared = warn_foreign(prepare(index, query))
        assert prepared.vector is not None
        scores = all_scores(index, prepared.vector)
        ranked = sorted((rank_in(scores, row), row) for row in rows)
        stored, notes = index.document(ranked[0][1]), []
        if len(ranked) > 1:
            second = index.document(ranked[1][1]).id
            notes.append(
                f"{doc_id} has {len(ranked)} chunks; this is about the best, {stored.id}. The next, {second}, has rank "
                f"{ranked[1][0]:,} and stays"
            )
        found = split_sentences(stored.text) if text is None else []
        some = [one for one in found[:sentences] if one.left_out(stored.text).strip()]
        if len(found) > sentences:
            notes.append(f"the first {sentences} of {len(found)} sentences were left out in turn")
        if found and not some:
            notes.append("it has only one sentence: nothing is left without it")
        return cls(
            *(index, prepared, ranked[0][1], stored, scores, some, text),
            notes=(*notes, *stored.read.notes("document")),
        )

    @property
    def texts(self) -> list[str]:
        """Texts to encode: the stored one, to verify its vector, then each changed one."""
        changed = [one.left_out(self.stored.text) for one in self.sentences]
        return [self.stored.text, *changed, *([] if self.given is None else [self.given])]

    def check_sending(self, *, send: bool) -> None:
        """Refuse to send texts to an encoder on a server unless `send` is set.

        Raises:
            InputError: it says how many texts would be sent.
        """
        sending = to_send(self.index.explainer.encoder, self.texts)
        if sending is not None and sending.texts and not send:
            raise InputError(f"{sending.sentence(None)}; nothing was sent. Allow it with send, or --send")

    def run(self) -> TextEdits:
        """The answer.

        Raises:
            MismatchError: the stored vector is not that of the stored text.
        """
        texts, stored = self.texts, self.stored
        z, counts = read_texts(self.index.explainer.encoder, texts, "document")
        unread = [] if self.given is None else reading(counts, -1).notes("new text")
        z[0] = self._verified(z[0])
        left_out = [
            LeftOut(*sentence, *self._placed(text, vector))
            for sentence, text, vector in zip(self.sentences, texts[1:], z[1:], strict=False)
        ]
        new = None if self.given is None else self.new_text(self.given, z[0], z[-1])
        now = z[0] if new is None else z[-1]
        return TextEdits(
            *(self.query.text, stored.id, stored.title),
            rank=rank_in(self.scores, self.row),
            score=float(self.scores[self.row]),
            documents=len(self.index),
            encoded=len(set(texts)),
            sentences=tuple(sorted(left_out, key=lambda one: (one.score_after, one.start))),
            missing=self._missing(now),
            missing_words=words_without(self.query.text, self.given or stored.text),
            changed=new,
            notes=(*self.notes, *unread),
        )

    def new_text(self, text: str, before: Float32, after: Float32, source: str = "given") -> NewText:
        """How a changed text scores and ranks; `before` and `after` are the vectors of the stored and the new text."""
        explainer, q = self.index.explainer, self._q
        made = contrast_vectors(explainer, q, np.stack([after, before]), [self.query.text, text, self.stored.text])
        first, second = (
            with_words(explainer, side, q, z)
            for side, z in zip((made.first, made.second), (after, before), strict=True)
        )
        contrast = Contrast.of(first, replace(second, doc_id=self.stored.id))
        return NewText(text, source, *self._placed(text, after), contrast)

    @property
    def _q(self) -> Float32:
        assert self.query.vector is not None
        return self.query.vector

    def _verified(self, encoded: Float32) -> Float32:
        """The stored vector, if it is that of the stored text."""
        own = self.index.vectors(np.array([self.row]))
        if (other := first_difference(encoded[None], own)) is not None:
            raise MismatchError(
                f"{self.index.folder}: the vector of {clip(self.stored.id, 80)!r} is not that of its text (cosine "
                f"{other.cosine:.3f}), so edits of the text cannot be compared with it"
            )
        verified: Float32 = own[0]
        return verified

    def _placed(self, text: str, z: Float32) -> tuple[float, int]:
        """The score and the rank of the document if this were its text."""
        scores = self.scores.copy()
        if text != self.stored.text:
            scores[self.row] = z @ self._q
        return float(scores[self.row]), rank_in(scores, self.row)

    def _missing(self, z: Float32) -> tuple[MissingFeature, ...]:
        """Features of the query that no view of the vector `z` [m] has, the most active first."""
        explainer, sae = self.index.explainer, self.index.explainer.sae
        query = sae.encode(self._q[None])
        active = {int(j): float(c) for j, c in zip(query.features[0], query.values[0], strict=True) if c > 0}
        own = _features(explainer.codes(z[None]), 0)
        best = np.argsort(-self.scores, kind="stable")[: TOP + 1]
        codes = self.index.all_codes(best[(best != self.row) & np.isfinite(self.scores[best])][:TOP])
        hits = [_features(codes, place) for place in range(len(codes[0].features))]
        words = query_words(explainer.encoder, sae, self.query.text, self._q)
        lacking = sorted((j for j in active if j not in own), key=lambda j: -active[j])
        return tuple(
            MissingFeature(j, explainer.features[j].label, active[j], words.get(j, ()), sum(j in one for one in hits))
            for j in lacking[:MISSING]
        )


def text_edits(
    index: Index,
    query: str | object,
    doc_id: str,
    text: str | None = None,
    *,
    sentences: int = SENTENCES,
    send: bool = False,
) -> TextEdits:
    """What leaving out a sentence does to a document's score and rank, or what a new text does.

    Encodes the stored text and, for each of its first `sentences` sentences, the text without it; or just the new text.

    Args:
        text: a new text to check, instead.
        send: allow sending these texts to an encoder on a server, which may cost money.
    Raises:
        InputError: no such document, it has no text in the index, the new text is empty, or `send` is needed.
        MismatchError: the stored vector is not that of the stored text.
    """
    check_flag(send, "send")
    task = EditTask.of(index, query, doc_id, text, sentences)
    task.check_sending(send=send)
    return task.run()


def words_without(query: str, text: str) -> tuple[str, ...]:
    """Content words of a query that a text contains in no form."""
    stems, low = {stem(word) for word in WORD.findall(text)}, text.lower()
    found: dict[str, str] = {}
    for word in WORD.findall(query):
        root = stem(word)
        if rank_of(key_of(word)) == 0 and fold(word) not in low and not any(same_family(root, one) for one in stems):
            found.setdefault(root, as_shown(word))
    return tuple(found.values())


def _features(views: Sequence[SparseCodes], row: int) -> set[int]:
    """The features that are active in any view of a document."""
    return {int(j) for codes in views for j in codes.support(row)}
