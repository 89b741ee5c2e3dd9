"""A judge without a language model: a different encoder compares label and text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...arrays import Float32, Float64
from ...encoders import Encoder, EncoderIdentity, read_texts
from ...errors import MismatchError
from .base import Marked, Text, odd_one_out


def check_judge(judge: EncoderIdentity, explained: EncoderIdentity) -> None:
    """Refuse the explained encoder as a judge, since it would only confirm its own neighbourhoods."""
    same_weights = judge.weights_sha256 is not None and judge.weights_sha256 == explained.weights_sha256
    if judge.digest == explained.digest or (same_weights and judge.dimension == explained.dimension):
        raise MismatchError(f"the judge {judge.name} is the explained encoder itself; give another with --judge")


class EncoderJudge:
    """Cosine between the embeddings of label and text; of a marked text, only the marked part is compared. Costs
    nothing.

    Raises:
        MismatchError: `encoder` is the explained encoder.
    """

    def __init__(self, encoder: Encoder, explained: EncoderIdentity) -> None:
        check_judge(encoder.identity, explained)
        self.encoder, self.name = encoder, f"encoder:{Path(encoder.identity.name).name}"
        self._texts: dict[str, Float32] = {}
        self._labels: dict[str, Float32] = {}

    def prepare(self, labels: Iterable[str], texts: Iterable[Text]) -> None:
        """Encode labels and texts that are new."""
        for known, wanted, role in ((self._labels, labels, "query"), (self._texts, _plain(texts), "document")):
            new = [text for text in dict.fromkeys(wanted) if text not in known]
            vectors = read_texts(self.encoder, new, role).vectors  # type: ignore[arg-type]  # one of the two roles
            known.update(zip(new, vectors, strict=True))

    def fits(self, label: str, texts: Sequence[Text]) -> Float64:
        """Cosines."""
        self.prepare([label], texts)
        return np.asarray(np.stack([self._texts[t] for t in _plain(texts)]) @ self._labels[label], np.float64)

    def intruder(self, texts: Sequence[str]) -> int:
        """The text with the lowest mean cosine to the others."""
        self.prepare([], texts)
        return odd_one_out(np.stack([self._texts[t] for t in texts]))


def _plain(texts: Iterable[Text]) -> list[str]:
    return [text.marked if isinstance(text, Marked) else text for text in texts]
