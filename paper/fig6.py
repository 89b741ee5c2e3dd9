"""Fig. 6: time to explain as the corpus grows, every document against one query and against many (paper, section 8).

Vectors exist already, as in the paper. Compares ours (ids, activations, shares), the release's method (ids only), and a
language model that writes three texts per document: a few are timed, the rest is extrapolated and drawn dashed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paper.kit.efficiency import growth
from paper.kit.figures import draw_efficiency
from paper.kit.tables import efficiency_table
from paper.kit.timing import time_teacher
from paper.setting import Setting
from paper.trained import trained
from xetrieval.arrays import l2norm
from xetrieval.llm import open_llm
from xetrieval.teachers import read_prompt
from xetrieval.views import ASPECTS


def run(setting: Setting) -> dict[str, Any]:
    """Seconds by number of documents, and seconds per text of the language model."""
    facts = setting.step("fig6")
    rows = np.load(setting.made / "apart.npy", mmap_mode="r")[: max(facts["documents"])]
    z = l2norm(np.asarray(rows, np.float32)).astype(np.float32)
    explainer = trained(setting, "ours-0")
    sizes = growth(explainer, z, facts["documents"], facts["queries"], setting.config["seed"])
    documents = [d for d in setting.corpus([setting.config["taught"]["corpus"]]) if 400 < len(d.text) < 1100]
    prompts = [read_prompt(aspect) for aspect in ASPECTS]
    timed = time_teacher(
        documents[: facts["texts"] // len(prompts)], prompts, open_llm(setting.filled(setting.config["llm"]), 600.0)
    )
    written = {
        "model": timed.model,
        "texts": len(timed.seconds),
        "seconds_a_text": round(timed.mean, 3),
        "seconds": [round(each, 2) for each in timed.seconds],
        "completion_tokens": timed.completion_tokens,
    }
    shape = {"features": explainer.sae.features, "k": explainer.sae.k, "queries": facts["queries"]}
    return {**shape, "sizes": sizes, "language_model": written}


def draw(result: dict[str, Any], path: Path) -> None:
    """Seconds against documents; what is extrapolated is dashed."""
    draw_efficiency(result, path)


def table(result: dict[str, Any]) -> str:
    """As Markdown."""
    return efficiency_table(result["sizes"], result["language_model"]["seconds_a_text"])
