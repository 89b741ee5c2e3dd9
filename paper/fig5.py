"""Fig. 5: do our features get better labels than those of a raw or an untrained autoencoder? (paper, section 7)

One labeller (key phrases of the activating texts) labels all of them, on documents that no label is judged on. There
are two judges: another encoder, and a language model that sees one text at a time. We measure their accuracy first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paper.kit import figures, tables
from paper.kit.examples import gathered_examples
from paper.progress import Bar
from paper.setting import Setting
from paper.trained import trained
from xetrieval.data.corpus import sample_documents
from xetrieval.labels.examples import ExamplesConfig, passage_blocks
from xetrieval.labels.judges import EncoderJudge, LlmJudge
from xetrieval.labels.labellers import KeyphraseLabeller
from xetrieval.labels.planted import judge_planted
from xetrieval.labels.scores import ScoresConfig, score_labels
from xetrieval.llm import CachedChat, open_llm
from xetrieval.records import record_of

JUDGED_BY_LLM = ("ours-0", "raw-0", "untrained")
ALL = (*JUDGED_BY_LLM, "ours-with")


def run(setting: Setting) -> dict[str, Any]:
    """The accuracy of the judges, and the label scores of every autoencoder with the value of each feature."""
    facts, main = setting.step("fig5"), setting.encoder(setting.config["main"])
    encoder = EncoderJudge(setting.encoder(setting.config["judge"]), main.identity)
    model = CachedChat(open_llm(setting.filled(setting.config["llm"])), setting.work / "llm.sqlite")
    llm = LlmJudge(model, facts["at_once"], prompts=tuple(facts["prompts"]))
    examples = {name: gathered(setting, name, main) for name in ALL}
    names = {name: labels(found) for name, found in examples.items()}
    result: dict[str, Any] = {"planted": record_of(judge_planted(encoder, kinds=("detection",))), "scores": []}
    for name in ALL:
        config = ScoresConfig(("detection", "intruder"), features=facts["judge_features"], seed=setting.config["seed"])
        result["scores"] += scores(name, examples[name], names[name], encoder, config)
    result["planted"] += record_of(judge_planted(llm, kinds=("detection",), negatives=tuple(facts["planted"])))
    config = ScoresConfig(("detection",), ("random",), facts["features"], facts["texts"], shuffled=False)
    for name in JUDGED_BY_LLM:
        result["scores"] += scores(name, examples[name], names[name], llm, config)
    return result


def gathered(setting: Setting, name: str, reader: Any) -> Any:
    """Texts of every feature: one side to make labels from, and one side to judge them on."""
    sae, facts = trained(setting, name).sae, setting.config["corpus"]
    config = ExamplesConfig(per_document=facts["sentences"])
    documents = sample_documents(setting.corpus(facts["sources"]), setting.step("fig5")["documents"])
    folder = setting.made / "examples" / f"{name}-{len(documents)}"
    blocks = lambda: passage_blocks(lambda: documents, reader, config.per_document)  # noqa: E731
    return gathered_examples(folder, sae, blocks, config, Bar(name).stage).features


def labels(examples: Any) -> dict[int, str]:
    """Key phrases as labels."""
    background = [example.text for feature in examples for example in feature.labelling.random]
    return {p.feature_id: p.label for p in KeyphraseLabeller(background).label(examples) if p.label}


def scores(name: str, examples: Any, names: dict[int, str], judge: Any, config: ScoresConfig) -> list[dict[str, Any]]:
    """Summaries, each with the value of every feature."""
    scored = score_labels(examples, names, judge, config, Bar(f"{name}, {judge.name[:12]}").stage)
    facts = {"autoencoder": name, "named": len(names), "of": len(examples), "unanswered": scored.failed}
    return [{**facts, **record, "values": list(scored.values(record["kind"], record["negatives"]).values())}
            for record in record_of(scored.summary())]  # fmt: skip


def draw(result: dict[str, Any], path: Path) -> None:
    """Density of detection scores over features."""
    figures.draw_detection(result["scores"], path)


def table(result: dict[str, Any]) -> str:
    """As Markdown."""
    return tables.names_table(result["planted"], result["scores"])
