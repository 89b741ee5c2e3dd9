"""Have language models write teacher texts: about the taught corpus, and about the documents of every set.

The latter are the paper's chain-of-thought reasoner and cost the most. Every answer is saved before it is used.
"""

from __future__ import annotations

from paper.progress import Bar
from paper.setting import Setting
from xetrieval.llm import CachedChat, open_llm
from xetrieval.teachers import TeachConfig, read_prompt, teach
from xetrieval.views import ASPECTS


def run(setting: Setting) -> None:
    """Write teach/TEACHER/corpus.jsonl and teach/TEACHER/SET.jsonl."""
    prompts = [read_prompt(aspect) for aspect in ASPECTS]
    config = TeachConfig(concurrency=setting.step("teach")["concurrency"])
    groups = {setting.config["encoders"][name]["sets"] for name in setting.config["encoders"]}
    for name, facts in setting.config["teachers"].items():
        if "llm" not in facts:
            continue
        folder = setting.made / "teach" / name
        folder.mkdir(parents=True, exist_ok=True)
        model = CachedChat(open_llm(setting.filled(facts["llm"])), setting.work / "llm.sqlite")
        parts = {"corpus": {d.id: d for d in setting.corpus([setting.config["taught"]["corpus"]])}}
        sets = [one for group in sorted(groups) for one in setting.config["sets"][group]] if facts.get("sets") else []
        for benchmark in map(setting.benchmark, sets):  # two encoders may have samples of one set
            parts.setdefault(benchmark.name.replace("/", "-"), {}).update({d.id: d for d in benchmark.documents})
        for part, documents in parts.items():
            teach(
                list(documents.values()), prompts, model, folder / f"{part}.jsonl", config, Bar(f"{name}, {part}").stage
            )
