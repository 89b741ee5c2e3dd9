"""Give the shipped labels the cosine from which they are shown (`near_from`), from texts of the sets it was made of.

XETRIEVAL_DATA=DIR python -m paper.studies.shipped_near --cache DIR EXPLAINER
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

from paper.studies.minilm import TRAINED_ON, data
from paper.studies.own_corpora import encoder_in
from xetrieval.data.corpus import sample_documents
from xetrieval.data.passages import passages_of
from xetrieval.data.sources import read_corpora
from xetrieval.explain import load
from xetrieval.labels.from_uses import near_from

DOCUMENTS: Final = 500  # of each set, with one sentence of each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("explainer", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    given = parser.parse_args()
    explainer, encoder = load(given.explainer), encoder_in(given.cache)
    texts = [
        passage.text
        for name in TRAINED_ON
        for document in sample_documents(read_corpora([data() / name]), DOCUMENTS)
        for passage in passages_of(document, 1)
    ]
    labels = [feature.label for feature in explainer.features if feature.label]
    near = near_from(labels, encoder.encode_document(texts), encoder.encode_document)
    features = tuple(
        replace(feature, near_from=round(near[feature.label], 4) if feature.label else None)
        for feature in explainer.features
    )
    replace(explainer, features=features).save(given.explainer, overwrite=True)


if __name__ == "__main__":
    main()
