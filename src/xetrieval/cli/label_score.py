"""xetrieval label score: how far names hold, to a judge that never sees an activation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import give_json, output_console, say
from .llm_options import LlmOptions, OutputFolder, used
from .options import Format, FormatOption
from .output import check_output
from .progress import progress_bar
from .shared import with_options

if TYPE_CHECKING:
    from ..explain import Explainer
    from ..labels.judges import Judge
    from ..labels.planted import PlantedScore
    from ..labels.scores import LabelScores


@with_options
def score(
    options: LlmOptions,
    explainer: Annotated[str, typer.Argument(metavar="EXPLAINER", help="Folder of an explainer, or minilm.")],
    examples: Annotated[Path, typer.Option("--examples", help="What `xetrieval label examples` wrote.")],
    judge: Annotated[
        str | None, typer.Option("--judge", help="An encoder other than the explained one; or give --llm.")
    ] = None,
    kinds: Annotated[
        str | None, typer.Option("--kinds", help="detection, fuzz, intruder, separated by commas; default: all.")
    ] = None,
    negatives: Annotated[str, typer.Option("--negatives", help="Inactive texts: random or hard.")] = "random,hard",
    features: Annotated[int | None, typer.Option("--features", min=1, help="A sample; default: all.")] = None,
    texts: Annotated[int, typer.Option("--texts", min=4, help="Active texts per feature, and inactive ones.")] = 10,
    strongest: Annotated[
        bool, typer.Option("--strongest", help="Only the strongest active texts, not the whole range.")
    ] = False,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Texts per question to a language model.")] = 10,
    shuffled: Annotated[
        bool, typer.Option("--shuffled/--no-shuffled", help="Also score labels on other features' texts.")
    ] = True,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same questions.")] = 0,
    json_output: Annotated[Path | None, typer.Option("--records", help="Also write all values to this file.")] = None,
    write: Annotated[bool, typer.Option("--write/--no-write", help="Store the scores with the labels.")] = True,
    output: OutputFolder = None,
    format: FormatOption = Format.text,
) -> None:
    """Score labels by detection, fuzz and intruder, after testing the judge itself.

    Run it again to resume; no answer is paid for twice. Exit code 3: the budget is used up.
    """
    from ..errors import InputError
    from ..explain import load
    from ..labels.examples import load_examples
    from ..labels.planted import judge_planted
    from ..labels.relabel import check_target, record_scores
    from ..labels.scores import SCORES, ScoresConfig, score_labels

    if (judge is None) == (options.llm is None):
        raise InputError("give --judge ENCODER or --llm MODEL, one of the two")
    check_output(json_output, Path(explainer), examples)
    opened, folder = load(explainer), load_examples(examples)
    folder.check(opened.sae.digest, str(examples))
    if write:
        check_target(explainer, output)
    config = ScoresConfig(
        kinds=tuple(SCORES) if kinds is None else _parts(kinds),
        negatives=_parts(negatives),
        features=features,
        texts=texts,
        active="strongest" if strongest else "range",
        shuffled=shuffled,
        concurrency=options.concurrency,
        seed=seed,
    )
    judges, model = _judge(judge, at_once, opened, options)
    labels = {feature.feature_id: feature.label for feature in opened.features if feature.label}
    with progress_bar() as progress:
        progress("judge", 0, 1, "cases whose answers are known")
        planted = judge_planted(judges, options.concurrency)
        progress("judge", 1, 1, "cases whose answers are known")
        scored = score_labels(folder.features, labels, judges, config, progress)
    if write:
        record_scores(explainer, scored.scores, output)
    _report(planted, scored, json_output, format)
    if model is not None:
        say(f"{used(model)}")
    if scored.stopped is not None:
        say(f"stopped: {scored.stopped}; run the same command with a larger budget to resume")
        raise typer.Exit(3)


def _report(planted: list[PlantedScore], scored: LabelScores, path: Path | None, format: Format) -> None:
    """Print what a scoring came to, and write every value to `path`."""
    from ..files import write_text
    from ..records import record_of

    records = record_of({"planted": planted, "scores": scored.summary()})
    if path is not None:
        values = {str(feature): [s._asdict() for s in scores] for feature, scores in sorted(scored.scores.items())}
        write_text(path, json.dumps({**records, "features": values}, indent=1, ensure_ascii=False) + "\n")
    if format is Format.json:
        give_json(records)
    else:
        _print(planted, scored)


def _parts(text: str) -> Any:  # a tuple of words; ScoresConfig refuses what is no kind
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _judge(judge: str | None, at_once: int, explainer: Explainer, options: LlmOptions) -> tuple[Judge, Any]:
    from ..encoders import CachedEncoder, open_encoder
    from ..labels.judges import EncoderJudge, LlmJudge

    if judge is None:
        model = options.open()
        return LlmJudge(model, at_once), model
    return EncoderJudge(CachedEncoder(open_encoder(judge), options.cache), explainer.encoder_identity), None


def _print(planted: list[PlantedScore], scored: LabelScores) -> None:
    from rich.table import Table

    from ..text import printable

    console = output_console()
    console.print(f"judge {printable(scored.judge)}", highlight=False)
    own = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("the judge's own", "silent texts", "value", "95 %", "chance", "over"):
        own.add_column(name, justify="left" if name in ("the judge's own", "silent texts") else "right", no_wrap=True)
    for r in planted:
        bounds = _interval(r.ci)
        value = "no answer" if r.value is None else f"{r.value:.3f}"
        own.add_row(r.kind, r.negatives, value, bounds, f"{r.chance:g}", f"{r.texts} texts")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("score", "silent texts", "value", "95 %", "chance", "shuffled", "over"):
        table.add_column(name, justify="left" if name in ("score", "silent texts") else "right", no_wrap=True)
    for s in scored.summary():
        wrong = "" if s.shuffled_labels is None else f"{s.shuffled_labels:.3f}"
        bounds, over = _interval(s.mean_ci), f"{s.features:,} features"
        table.add_row(s.kind, s.negatives, f"{s.mean:.3f}", bounds, f"{s.chance:g}", wrong, over)
    console.print(own)
    console.print()
    console.print(table)
    if scored.failed:
        console.print(f"{scored.failed:,} questions without a usable answer are left out", style="yellow")


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"
