"""Fig. 8: does scaling the features that matter for a task change its ranking? (paper, section 10)

Key features by RUS, chosen on one half of the queries and used on the other. Controls: uninformative features, features
of similar frequency, and the key features of a raw autoencoder trained on as many samples.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from paper.kit.figures import draw_steering
from paper.kit.tables import steering_table
from paper.progress import Bar
from paper.setting import Setting
from xetrieval.evaluate import SteeringConfig, steering
from xetrieval.sae import SparseAutoencoder

SYSTEMS = (
    ("apart", "ours-0", "raw-0"),
    ("apart, second seed", "ours-1", "raw-1"),
    ("apart, paper's form", "ours-paper", "raw-0"),
    ("with the sets", "ours-with", "raw-with"),
)


def run(setting: Setting) -> list[dict[str, Any]]:
    """One record per system, set and number of features."""
    opened = {name: [SparseAutoencoder.load(setting.made / "saes" / sae) for sae in saes] for name, *saes in SYSTEMS
              if (setting.made / "saes" / saes[0]).exists()}  # fmt: skip
    records, bar = [], Bar("steering")
    sets = setting.config["sets"][setting.config["encoders"][setting.config["main"]]["sets"]]
    for place, (benchmark, vectors) in enumerate(setting.sets(setting.config["main"])):
        for name, (ours, raw) in opened.items():
            for share in setting.step("fig8")["shares"]:
                facts = {"encoder": name, "features": ours.features, "most_features": round(share * ours.features)}
                config = SteeringConfig(fraction=share, seed=setting.config["seed"])
                records += [{**facts, **asdict(record)} for record in steering(ours, benchmark, vectors, config, raw)]
        bar.at(place + 1, len(sets), benchmark.name)
    return records


def draw(result: list[dict[str, Any]], path: Path) -> None:
    """NDCG@10 against alpha, means over the sets."""
    draw_steering([record for record in result if record["encoder"] in ("apart", "with the sets")], path)


def table(result: list[dict[str, Any]]) -> str:
    """As Markdown."""
    return steering_table(result)
