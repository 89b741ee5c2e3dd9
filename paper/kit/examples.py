"""The examples of an autoencoder's features, gathered once and then read from disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from xetrieval.labels.examples import Blocks, ExampleFolder, ExamplesConfig, gather, load_examples, save_examples
from xetrieval.progress import Progress, silent
from xetrieval.sae import SparseAutoencoder


def gathered_examples(
    folder: Path, sae: SparseAutoencoder, blocks: Blocks, config: ExamplesConfig, progress: Progress = silent
) -> ExampleFolder:
    """Read the examples of an autoencoder from `folder`; gather and write them first if the folder does not exist.

    Raises:
        MismatchError: the folder has examples of another autoencoder.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        got = gather(sae, blocks, config, progress)
        facts = {"passages": got.passages, "documents": got.documents, "corpus": got.digest, "config": asdict(config)}
        save_examples(folder, sae.digest, got.features, facts)
    found = load_examples(folder)
    found.check(sae.digest, str(folder))
    return found
