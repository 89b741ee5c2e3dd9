"""xetrieval fit: fit an explainer for your encoder on your corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ..configs import FitConfig, Option
from ..errors import InputError
from ..registry import ENCODERS
from .console import print_message
from .export import PRIVATE
from .options import CorporaArgument, PriceOption, named_encoder, print_sending
from .progress import progress_bar
from .skipped import SkipBad, print_messages, report_skipped, skipped_rows


@dataclass(frozen=True)
class EncodingOptions:
    """The encoder of the corpus."""

    encoder: Annotated[str, Option(f"{', '.join(ENCODERS)}, or a model name or folder.")]
    precision: Annotated[str, Option("float32, or bfloat16 to encode the corpus about twice as fast.")] = "float32"
    price: PriceOption = None


def fit(
    corpora: CorporaArgument,
    encoding: EncodingOptions,
    output: Annotated[Path, Option("The new explainer's folder.")],
    config: FitConfig,
    teacher: Annotated[
        list[str] | None,
        Option("texts.jsonl, clicks.jsonl, pairs.tsv, field:NAME; with =ASPECT, @WEIGHT; may be repeated."),
    ] = None,
    *,
    skip_bad: SkipBad = False,
) -> None:
    """Fit an explainer: encode, internalize, train, label. If interrupted, run it again to resume."""
    from ..encoders import CachedEncoder
    from ..fitting import fit as run
    from ..fitting.metrics import held_out_notes
    from ..fitting.pipeline import texts_of_fit

    if encoding.precision not in ("float32", "bfloat16"):
        raise InputError(f"precision {encoding.precision!r} is unknown; choose float32 or bfloat16")
    opened = named_encoder(encoding.encoder, encoding.precision)
    skipped = skipped_rows(skip_bad=skip_bad)
    sent = texts_of_fit(corpora, teacher or [], config, skipped_rows(skip_bad=skip_bad))
    print_sending(CachedEncoder(opened, config.cache), sent, encoding.price)
    with progress_bar() as progress:
        explainer = run(corpora, opened, teacher or [], output, config, progress=progress, skipped=skipped)
    report_skipped(skipped, output)
    named = sum(feature.label is not None for feature in explainer.features)
    print_message(f"explainer of {explainer.sae.features} features, {named} labelled, in {output}")
    print_messages(held_out_notes(explainer))
    print_message(f"{PRIVATE}: to share it without them, run `xetrieval export {output} --without-names`")
    if unknown := explainer.provenance.get("documents_mostly_unknown_to_the_encoder"):
        print_message(f"{unknown:,} documents are mostly unknown to the encoder: it knows at most half of their tokens")
