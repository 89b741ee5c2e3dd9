"""Train internalizers in two forms, and the autoencoders that all other steps compare.

ours-SEED    raw and reasoned vectors (paper, section 3)      raw-SEED    raw vectors only, with as many samples
ours-few     raw and reasoned vectors of a quarter of the texts: as many distinct vectors as raw-SEED
ours-paper   with internalizers of the paper's form           ours-with, raw-with   rows include the sets' documents
untrained    random directions
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from paper.kit.training import train_to_folder
from paper.kit.untrained import untrained_sae
from paper.progress import Bar
from paper.setting import Setting
from xetrieval.configs import InternalizerConfig
from xetrieval.fitting.internalizers import train_to_folder as learn_to_folder
from xetrieval.fitting.reasoned import reasoned_rows
from xetrieval.internalizer import load_internalizers
from xetrieval.sae.train import SaeConfig


def run(setting: Setting) -> None:
    """Train each into its own folder, unless the folder exists."""
    internalizers(setting)
    seeds, seed = setting.config["seeds"], setting.config["seed"]
    apart, mixed = (np.load(setting.made / f"{name}.npy", mmap_mode="r") for name in ("apart", "with"))
    views, paper, of_both = (
        reasoned(setting, rows, form)
        for rows, form in (("apart", "residual"), ("apart", "paper"), ("with", "residual"))
    )
    ours = SaeConfig(**setting.config["sae"])
    raw = replace(ours, epochs=ours.epochs * views.shape[1])  # as many samples
    arms = {f"ours-{one}": (flat(views), replace(ours, seed=one)) for one in seeds}
    arms |= {f"raw-{one}": (apart, replace(raw, seed=one)) for one in seeds}
    arms |= {"ours-few": (flat(views[:: views.shape[1]]), raw), "ours-paper": (flat(paper), ours)}
    arms |= {"ours-with": (flat(of_both), ours), "raw-with": (mixed, raw)}
    for name, (rows, config) in arms.items():
        train_to_folder(rows, config, setting.made / "saes" / name, progress=Bar(name).stage)
    if not (setting.made / "saes" / "untrained").exists():
        mean = np.asarray(apart[:8192], np.float32).mean(axis=0)
        untrained_sae(ours.features, mean, ours.used_k, seed).save(setting.made / "saes" / "untrained")


def internalizers(setting: Setting) -> None:
    """Train nets/residual and nets/paper on the configured teachers, and nets/echo to reproduce its input."""
    encoder, facts = setting.encoder(setting.config["main"]), setting.config["internalizer"]
    lessons = setting.lessons(facts["teachers"])
    echoes = [lesson._replace(target=lesson.source) for lesson in lessons]
    for name, form, pairs in (
        ("residual", "residual", lessons),
        ("paper", "paper", lessons),
        ("echo", "paper", echoes),
    ):
        folder = setting.made / "nets" / name
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            config = InternalizerConfig(form=form, hidden=facts["hidden"], seed=setting.config["seed"])  # type: ignore[arg-type]
            learn_to_folder(pairs, encoder, folder, config, {"teachers": facts["teachers"]}, Bar("internalizers").stage)


def reasoned(setting: Setting, rows: str, form: str) -> Any:
    """The views of apart.npy or with.npy, [n, 1 + views, m]."""
    nets = load_internalizers(setting.made / "nets" / form).internalizers
    vectors = np.load(setting.made / f"{rows}.npy", mmap_mode="r")
    return reasoned_rows(vectors, nets, setting.made / f"{rows}-{form}.npy", Bar("views").stage)


def flat(views: Any) -> Any:
    """The same vectors as rows."""
    return views.reshape(-1, views.shape[2])
