"""Fig. 3: seven variants at several sparsities: reconstruction, intruders detected, retrieval kept (paper, section 6).

Trained without the documents of any set; topk also with them. Another encoder judges the intruders.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paper.encode import apart, write
from paper.kit.tables import sweep_table
from paper.progress import Bar
from paper.setting import Setting
from paper.train import reasoned
from xetrieval.evaluate import IntruderSample, SweepConfig, SweepData, sweep
from xetrieval.evaluate.plots import plot_sweep


def run(setting: Setting) -> list[dict[str, Any]]:
    """One record per variant and sparsity; `with_sets` is true if the training rows included the sets' documents."""
    facts, sparsities = setting.step("fig3"), setting.config["sweep"]
    training = {name: value for name, value in setting.config["sae"].items() if name not in ("features", "l0")}
    features = (setting.config["sae"]["features"],)
    main = setting.config["main"]
    sets = list(setting.sets(main, facts["measured_on"]))
    sample = judged(setting, facts["judged"], facts.get("judged_characters", 220))
    records = []
    for rows, variants in (("apart", sparsities["variants"]), ("with", ["topk"])):
        views = reasoned(setting, rows, "residual")
        kinds = {"original": views[:, 0], "reasoned": by_view(setting, rows, views)}
        config = SweepConfig(tuple(variants), tuple(sparsities["l0"]), features, **training)
        found = sweep(
            SweepData(kinds, sets, sample), config, setting.made / f"sweep-{rows}", Bar(f"sweep, {rows}").stage
        )
        records += [{"with_sets": rows == "with", **record} for record in found]
    return records


def by_view(setting: Setting, rows: str, views: Any) -> Any:
    """The reasoned vectors, view by view, [views * n, m]."""
    path = setting.made / f"{rows}-by-view.npy"
    if not path.is_file():
        write(path, np.concatenate([views[:, place] for place in range(1, views.shape[1])]))
    return np.load(path, mmap_mode="r")


def judged(setting: Setting, count: int, characters: int) -> IntruderSample:
    """Short texts of the training corpus, encoded by both encoders."""
    texts = [text for text in apart(setting) if len(text) < characters][:count]
    own, judge = (setting.encoder(setting.config[role]).encode_document(texts) for role in ("main", "judge"))
    return IntruderSample(own, judge)


def draw(result: list[dict[str, Any]], path: Path) -> None:
    """Each measure against L0, one line per variant."""
    named = [{**r, "variant": f"{r['variant']}, with the sets" if r["with_sets"] else r["variant"]} for r in result]
    plot_sweep(named, path)


def table(result: list[dict[str, Any]]) -> str:
    """As Markdown."""
    return sweep_table(result)
