"""A small dictionary trained on the spot from documents given with a pair, such as the other hits of the query.

paper/studies/relearn.py measured how many are needed; docs/decisions.md has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from ..data import Document
from ..encoders import read_texts
from ..errors import InputError
from ..explain import Explainer
from ..extras import require
from ..progress import Progress, silent
from ..sae.stack import Stack
from .own import CorpusRows, learn_own
from .texts import few_sentences

FEWEST: Final = 50  # documents; with 20, features explain only a quarter of the score without the bias


def explainer_of_context(
    base: Explainer, documents: Sequence[Document], pair: Sequence[str] = (), seed: int = 0, progress: Progress = silent
) -> Explainer:
    """An explainer whose features are trained on some documents, with the encoder and views of `base`.

    Args:
        pair: texts to explain; documents with one of these texts are left out.
    Raises:
        InputError: fewer than 50 distinct documents. MissingExtra: torch or numba is not installed.
    """
    require("numba", "train")
    given = {" ".join(text.split()) for text in pair}
    by_text = {text: one for one in documents if (text := " ".join(one.text.split())) and text not in given}
    chosen = list(by_text.values())
    if len(chosen) < FEWEST:
        raise InputError(
            f"the context has {len(chosen)} documents besides the pair; features need at least {FEWEST}: give more, or "
            "leave out the context"
        )
    drawn = few_sentences(chosen, len(chosen))
    texts = [*(one.text for one in chosen), *(one.text for one in drawn)]
    vectors = read_texts(base.encoder, texts, "document").vectors
    names = [*(one.id for one in chosen), *(one.id for one in drawn)]
    owner = np.array([one.row for one in drawn], np.int64)
    rows = CorpusRows(Stack([vectors]), owner, texts.__getitem__, names.__getitem__, seed)
    with TemporaryDirectory() as work:
        return learn_own(rows, base, Path(work), {"context": len(chosen), "seed": seed}, progress)
