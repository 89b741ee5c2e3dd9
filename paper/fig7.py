"""Fig. 7: how does the score change if we erase the shared features, or keep only them? (paper, section 9)

True and false positives are separate. Each set of features has two random controls of the same size: features active in
the document, and live features of similar frequency. `direct` is the set that a raw autoencoder finds.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paper.kit.figures import draw_intervention
from paper.kit.results import as_json
from paper.kit.tables import intervention_table
from paper.progress import Bar
from paper.setting import Setting
from paper.trained import trained
from xetrieval.evaluate import InterventionConfig, intervention
from xetrieval.files import write_text
from xetrieval.sae import SparseAutoencoder

LEFT_OUT = re.compile("_ci$|^explained_without_bias")
SYSTEMS = (  # name, autoencoder, internalizers, its raw counterpart
    ("apart", "ours-0", "residual", "raw-0"),
    ("apart, second seed", "ours-1", "residual", "raw-1"),
    ("apart, third seed", "ours-2", "residual", "raw-2"),
    ("apart, as many vectors as raw", "ours-few", "residual", "raw-0"),
    ("apart, paper's form", "ours-paper", "paper", "raw-0"),
    ("with the sets", "ours-with", "residual", "raw-with"),
)


def run(setting: Setting) -> list[dict[str, Any]]:
    """A record for each system and set."""
    config = InterventionConfig(queries=setting.step("fig7")["queries"], seed=setting.config["seed"])
    there = [system for system in SYSTEMS if (setting.made / "saes" / system[1]).exists()]
    opened = {
        name: (trained(setting, sae, nets), SparseAutoencoder.load(setting.made / "saes" / raw))
        for name, sae, nets, raw in there
    }
    records, bar = [], Bar("pairs")
    sets = setting.config["sets"][setting.config["encoders"][setting.config["main"]]["sets"]]
    for place, (benchmark, vectors) in enumerate(setting.sets(setting.config["main"])):
        for name, (explainer, raw) in opened.items():
            records.append({"system": name, **asdict(intervention(explainer, benchmark, vectors, config, raw))})
        bar.at(place + 1, len(sets), benchmark.name)
    write_text(setting.made / "fig7.json", as_json(records))
    return [summary(record) for record in records]


def summary(record: Any) -> Any:
    """The means, which the figure, the table and the text need. Intervals within a set stay in the work folder."""
    if not isinstance(record, dict):
        return record
    return {key: summary(part) for key, part in record.items() if not LEFT_OUT.search(key)}


def draw(result: list[dict[str, Any]], path: Path) -> None:
    """Erase and keep-only for true and false positives, with random sets of the same size."""
    draw_intervention([record for record in result if record["system"] == "apart"], path)


def table(result: list[dict[str, Any]]) -> str:
    """As Markdown."""
    return intervention_table(result)
