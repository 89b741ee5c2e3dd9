"""What each step of a config will cost, before anything is fetched: hours, tokens, disk.

A step with `minutes` in the config was measured. Others are estimated: 2 x parameters x tokens floating-point
operations to encode, 6 m F per sample to train, and tokens written divided by the rate in the config.
"""

from __future__ import annotations

from typing import Any, NamedTuple

TOKENS = 200  # per encoded text, on average
SHOWN, WRITTEN = 600, 120  # tokens of a prompt with its document, and of an answer (overridden for teachers that think)
DIMENSION = 1024
VARIANT = 3.0  # how much longer the other variants train than topk, on average


class Cost(NamedTuple):
    """The cost of one step."""

    hours: float
    gigabytes: float
    tokens: float = 0.0  # read and written by language models
    note: str = ""


def costs(config: dict[str, Any]) -> dict[str, Cost]:
    """The cost of every step."""
    return {name: _measured(step) or _counted(name, config) for name, step in config["steps"].items()}


def documents_of(config: dict[str, Any], group: str) -> tuple[int, int]:
    """Number of documents and queries in a group of sets, where the config has them."""
    sets = config["sets"][group]
    return sum(one.get("documents") or 0 for one in sets), sum(one.get("queries") or 0 for one in sets)


def _measured(step: dict[str, Any]) -> Cost | None:
    return Cost(step["minutes"] / 60, step.get("gigabytes", 0.5)) if "minutes" in step else None


def _counted(name: str, config: dict[str, Any]) -> Cost:
    rows, flops = config["corpus"]["rows"], config["hardware"]["flops"]
    rate, sae = config["hardware"]["tokens_per_second"], config["sae"]
    sets = {facts["sets"] for facts in config["encoders"].values()}
    documents = sum(documents_of(config, group)[0] for group in sets)
    sample = 6 * DIMENSION * sae["features"] / config["hardware"]["training_flops"] / 3600  # hours
    samples = 4 * rows * sae["epochs"]
    if name == "teach":
        teachers = [facts for facts in config["teachers"].values() if "llm" in facts]
        per = [3 * (config["taught"]["documents"] + (documents if facts.get("sets") else 0)) for facts in teachers]
        texts = sum(per)
        written = sum(n * facts.get("tokens_written", WRITTEN) for n, facts in zip(per, teachers, strict=True))
        return Cost(written / rate / 3600, texts * 1e-6, texts * SHOWN + written, f"{texts:,} texts")
    if name == "encode":
        texts = {name: sum(documents_of(config, facts["sets"])) for name, facts in config["encoders"].items()}
        texts[config["main"]] += rows
        work = sum(2 * config["encoders"][one]["parameters"] * TOKENS * count for one, count in texts.items())
        models = sum(2e-9 * facts["parameters"] for facts in config["encoders"].values())
        return Cost(work / flops / 3600, models + sum(texts.values()) * 8e-6, 0, f"{sum(texts.values()):,} texts")
    if name == "train":
        arms = 2 * len(config["seeds"]) + 4
        return Cost(arms * samples * sample, 3 * rows * 8e-6 + arms * 0.07, 0, f"{arms} autoencoders")
    if name == "fig3":
        arms = (len(config["sweep"]["variants"]) + 1) * len(config["sweep"]["l0"])
        return Cost(arms * VARIANT * samples * sample, arms * 0.07, 0, f"{arms} autoencoders")
    if name == "fig5":
        asked = 3 * config["steps"]["fig5"]["features"] * 2
        return Cost(1 + asked * 40 / rate / 3600, 1, asked * 10 * 60, f"{asked:,} questions")
    if name == "table1":
        written = 3 * len(config["teachers"]) * documents * len(config["encoders"])
        work = (
            2 * TOKENS * written * sum(f["parameters"] for f in config["encoders"].values()) / len(config["encoders"])
        )
        return Cost(1 + work / flops / 3600, written * 8e-6, 0, f"{written:,} written texts encoded")
    return Cost(0.5, 0.1)
