"""Fig. 4: raw and reasoned embeddings under the autoencoders of Fig. 3 and of the step `train` (paper, section 6).

Measured on documents that autoencoders trained `apart` never saw. The control is a network of the same size that
learned to reproduce its input (echo): what it gains is smoothing, not reasoning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paper.kit.figures import draw_raw_and_reasoned
from paper.kit.raw_and_reasoned import raw_and_reasoned
from paper.kit.tables import raw_and_reasoned_table
from paper.setting import Setting
from xetrieval.internalizer import load_internalizers
from xetrieval.sae import read_sae_folder


def run(setting: Setting) -> list[dict[str, Any]]:
    """One record per autoencoder: figures for each kind of vector."""
    facts = setting.step("fig4")
    found = [vectors.documents for _, vectors in setting.sets(setting.config["main"], facts["measured_on"])]
    rng = np.random.default_rng(setting.config["seed"])
    documents = np.concatenate(found)
    documents = documents[rng.permutation(len(documents))[: facts["documents"]]]
    kinds = {"reasoned": "residual", "reasoned, paper's form": "paper", "echo": "echo"}
    nets = {kind: load_internalizers(setting.made / "nets" / name).internalizers for kind, name in kinds.items()}
    records = []
    for folder in folders(setting):
        opened = read_sae_folder(folder)
        config = opened.provenance.get("config", {})
        facts = {"autoencoder": folder.name, "with_sets": "with" in folder.parent.name + folder.name}
        facts |= {"variant": config.get("variant", "untrained"), "target_l0": config.get("l0", opened.sae.k)}
        records.append(facts | {"kinds": raw_and_reasoned(opened.sae, documents, nets)})
    return records


def folders(setting: Setting) -> list[Path]:
    """The autoencoders of the sweep, then those of `train`."""
    places = (setting.made / "sweep-apart", setting.made / "sweep-with", setting.made / "saes")
    return [path for place in places for path in sorted(place.iterdir()) if path.is_dir()]


def draw(result: list[dict[str, Any]], path: Path) -> None:
    """FVU and active features against L0, by kind of vectors, under the sweep's topk autoencoders."""
    draw_raw_and_reasoned([record for record in result if record["autoencoder"].startswith("topk-")], path)


def table(result: list[dict[str, Any]]) -> str:
    """As Markdown."""
    return raw_and_reasoned_table(result)
