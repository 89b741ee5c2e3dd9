"""Four cases: one pair explained by a raw autoencoder and by ours (the paper's case studies).

Each case is the first judged pair of moderate length in a set. Labels are key phrases for both. Texts and pages go to
the work folder because we may not redistribute the documents; the results contain features and shares only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from paper.fig5 import gathered, labels
from paper.kit.benchmarks import first_short_pair
from paper.kit.tables import cases_table
from paper.setting import Setting
from paper.trained import trained
from xetrieval.explain import Explainer
from xetrieval.explain.release_format import release_record
from xetrieval.files import write_text
from xetrieval.render.page import page


def run(setting: Setting) -> list[dict[str, Any]]:
    """One record per case: both explanations, and the labels they have in common."""
    main = setting.encoder(setting.config["main"])
    both = {"raw": named(setting, "raw-0", None, main), "ours": named(setting, "ours-0", "residual", main)}
    records, folder = [], setting.made / "cases"
    folder.mkdir(exist_ok=True)
    for benchmark, _ in setting.sets(setting.config["main"], setting.step("cases")["sets"]):
        query, document = first_short_pair(benchmark)
        found = {name: explainer.explain(query, document) for name, explainer in both.items()}
        text = [f"query: {query}", "", f"document: {document}"]
        for name, explanation in found.items():
            text += ["", f"{name}: {len(explanation.terms)} features shared", str(explanation)]
            shown = both[name].with_evidence(explanation) if name == "ours" else explanation
            write_text(folder / f"{benchmark.name}-{name}.html", page(shown))
        write_text(folder / f"{benchmark.name}.txt", "\n".join(text) + "\n")
        names = [{term.label for term in one.terms if term.label} for one in found.values()]
        records.append({"dataset": benchmark.name, "names_of_both": sorted(names[0] & names[1]),
                        **{name: release_record(one) for name, one in found.items()}})  # fmt: skip
    return records


def named(setting: Setting, sae: str, nets: str | None, encoder: Any) -> Explainer:
    """An explainer labelled with key phrases, from the examples of Fig. 5."""
    explainer, names = trained(setting, sae, nets), labels(gathered(setting, sae, encoder))
    features = (
        replace(f, label=names.get(f.feature_id), source="keyphrase" if f.feature_id in names else None)
        for f in explainer.features
    )
    return replace(explainer, features=tuple(features)).with_encoder(encoder)


def table(result: list[dict[str, Any]]) -> str:
    """As Markdown."""
    return cases_table(result)
