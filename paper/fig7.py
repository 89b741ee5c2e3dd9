"""Fig. 7: erase the shared features from the document, or keep nothing else: what happens to its score? (section 9)

True and false positives apart. Of each set of features stand two of its own size beside it: random ones active in the
document, and random live ones of like frequency. `direct` are the features that a raw autoencoder finds.
"""

from __future__ import annotations

import re
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
from xetrieval.sae import load_sae

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
        name: (trained(setting, sae, nets), load_sae(setting.made / "saes" / raw).sae) for name, sae, nets, raw in there
    }
    records, bar = [], Bar("pairs")
    sets = setting.config["sets"][setting.config["encoders"][setting.config["main"]]["sets"]]
    for place, (benchmark, vectors) in enumerate(setting.sets(setting.config["main"])):
        for name, (explainer, raw) in opened.items():
            records.append({"system": name, **intervention(explainer, benchmark, vectors, config, raw)})
        bar.at(place + 1, len(sets), benchmark.name)
    write_text(setting.made / "fig7.json", as_json(records))
    return [summary(record) for record in records]


def summary(record: Any) -> Any:
    """What figure, table and text need: means. Intervals within a set stay in the work folder."""
    if not isinstance(record, dict):
        return record
    return {key: summary(part) for key, part in record.items() if not LEFT_OUT.search(key)}


def draw(result: list[dict[str, Any]], path: Path) -> None:
    """Erase and keep-only, true and false positives, with the random sets of equal size."""
    draw_intervention([record for record in result if record["system"] == "apart"], path)


def table(result: list[dict[str, Any]]) -> str:
    """As Markdown."""
    return intervention_table(result)
