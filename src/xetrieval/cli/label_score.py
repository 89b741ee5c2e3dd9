"""xetrieval label score: measure how well labels fit, with a judge that never sees activations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..configs import Option, Range, ScoresConfig
from ..errors import InputError
from .console import print_json
from .labelled import ExamplesOption, LabelledArgument, open_labelled
from .llm_options import LlmOptions, OutputFolder, end
from .options import Format, FormatOption
from .output import check_output, print_parts
from .progress import progress_bar

if TYPE_CHECKING:
    from ..explain import Explainer
    from ..labels.judges import Judge
    from ..labels.planted import PlantedScore
    from ..labels.scores import LabelScores
    from ..llm import CachedChat


@dataclass(frozen=True)
class JudgeOptions:
    """The judge, and where scores are written."""

    judge: Annotated[str | None, Option("An encoder other than the explained one; or give --llm.")] = None
    texts_per_question: Annotated[int, Option("Texts per question to a language model."), Range(1)] = 10
    records: Annotated[Path | None, Option("Also write all values to this file.")] = None
    write: Annotated[bool, Option("Store the scores with the labels.", "--write/--no-write")] = True
    output: OutputFolder = None
    format: FormatOption = Format.text


def score(
    explainer: LabelledArgument,
    config: ScoresConfig,
    options: JudgeOptions,
    llm: LlmOptions,
    examples: ExamplesOption = None,
) -> None:
    """Score labels in several ways, after testing the judge itself.

    Run it again to resume; no answer is paid for twice. Exit code 3: the budget is used up.
    """
    from ..labels.planted import judge_planted
    from ..labels.relabel import record_scores
    from ..labels.scores import score_labels

    if (options.judge is None) == (llm.llm is None):
        raise InputError("give --judge ENCODER or --llm MODEL, one of the two")
    if options.judge is not None:
        llm.refuse("--judge")
    check_output(options.records, Path(explainer), examples)
    labelled = open_labelled(explainer)
    target = labelled.target(options.output)
    if options.write:
        target.check()
    opened, folder = labelled.explainer, labelled.examples(examples)
    model = None if options.judge is not None else llm.open()
    judge = open_judge(options.judge, model, opened, llm.cache, options.texts_per_question)
    labels = {feature.feature_id: feature.label for feature in opened.features if feature.label}
    with progress_bar() as progress:
        progress("judge", 0, 1, "cases with known answers")
        planted = judge_planted(judge, config.concurrency)
        progress("judge", 1, 1, "cases with known answers")
        scored = score_labels(folder.features, labels, judge, config, progress)
    if options.write:
        record_scores(target, scored.scores)
    _report(planted, scored, options.records, options.format)
    end(model, scored.stopped)


def open_judge(
    encoder: str | None,
    model: CachedChat | None,
    explainer: Explainer,
    cache: Path | None,
    texts_per_question: int = 10,
) -> Judge:
    """The judge: an encoder, or else a language model."""
    from ..encoders import CachedEncoder, open_encoder
    from ..labels.judges import EncoderJudge, LlmJudge

    if encoder is not None:
        return EncoderJudge(CachedEncoder(open_encoder(encoder), cache), explainer.encoder_identity)
    assert model is not None
    return LlmJudge(model, texts_per_question)


def _report(planted: list[PlantedScore], scored: LabelScores, path: Path | None, format: Format) -> None:
    """Print the scores, and write every value to `path`."""
    from ..files import write_text
    from ..records import record_of

    records = {"planted": record_of(planted), "scores": record_of(scored.summary())}
    if path is not None:
        values = {str(feature): [s._asdict() for s in scores] for feature, scores in sorted(scored.scores.items())}
        write_text(path, json.dumps({**records, "features": values}, indent=1, ensure_ascii=False) + "\n")
    if format is Format.json:
        print_json(records)
    else:
        from ..labels.scores.printing import score_parts

        print_parts(score_parts(planted, scored), None)
