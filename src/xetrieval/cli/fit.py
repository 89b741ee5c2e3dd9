"""xetrieval fit: an explainer for your encoder on your corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import say
from .options import CacheOption, opened_encoder
from .progress import progress_bar
from .skipped import SkipBad, collector, report_skipped


def fit(
    corpora: Annotated[list[Path], typer.Argument(metavar="CORPUS...", help="BEIR folders or JSON lines files.")],
    encoder: Annotated[str, typer.Option("--encoder", help="minilm, a model name or folder, URL#MODEL, vectors:FILE.")],
    output: Annotated[Path, typer.Option("--output", help="The new explainer's folder.")],
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            "--teacher",
            help="texts.jsonl, clicks.jsonl, pairs.tsv, field:NAME; with =ASPECT, @WEIGHT; may repeat.",
        ),
    ] = None,
    features: Annotated[
        int | None, typer.Option("--features", "-F", help="How many features; default: an eighth of the vectors.")
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", "-k", help="How many are active in training; default: 8 or 12.")
    ] = None,
    inference_k: Annotated[
        int | None, typer.Option("--inference-k", help="How many are active in use; default: k.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Passes over the vectors; default: 600 steps of 256.")
    ] = None,
    sentences: Annotated[int, typer.Option("--sentences", help="Sentences drawn from each document.")] = 9,
    form: Annotated[str, typer.Option("--form", help="Internalizer: residual, or the paper's.")] = "residual",
    precision: Annotated[
        str, typer.Option("--precision", help="float32, or bfloat16: encode the corpus about twice as fast.")
    ] = "float32",
    notes: Annotated[str, typer.Option("--notes", help="For the model card: data and licences.")] = "",
    name: Annotated[str | None, typer.Option("--name", help="The explainer's name.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same explainer.")] = 0,
    cache: CacheOption = None,
    skip_bad: SkipBad = False,
) -> None:
    """Fit an explainer: encode, internalize, train, label. If interrupted, run it again to resume."""
    from ..errors import InputError
    from ..fitting import FitConfig
    from ..fitting import fit as run
    from ..fitting.metrics import held_out_notes
    from ..internalizer.train import InternalizerConfig

    if precision not in ("float32", "bfloat16"):
        raise InputError(f"precision {precision!r} is unknown; choose float32 or bfloat16")
    config = FitConfig(
        sentences_per_document=sentences,
        internalizer=InternalizerConfig(form=form, seed=seed),  # type: ignore[arg-type]  # checked there
        features=features,
        k=k,
        inference_k=inference_k,
        epochs=epochs,
        seed=seed,
        name=name,
        notes=notes,
        cache=cache,
    )
    opened = opened_encoder(encoder, precision)
    skipped = collector(skip_bad)
    with progress_bar() as progress:
        explainer = run(
            corpora,
            opened,
            teacher or [],
            output,
            config,
            progress=progress,
            skipped=skipped,
        )
    report_skipped(skipped, output)
    named = sum(feature.label is not None for feature in explainer.features)
    say(f"explainer of {explainer.sae.features} features, {named} named, in {output}")
    for line in held_out_notes(explainer):
        say(line)
    if unknown := explainer.provenance.get("documents_mostly_unknown_to_the_encoder"):
        say(f"{unknown:,} documents are mostly unknown to the encoder: it knows at most half of their tokens")
