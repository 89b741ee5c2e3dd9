"""xetrieval label: name features, by phrases, a language model or a person; score the names; group the features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import say
from .label_score import score
from .llm_options import DryRun, LlmOptions, OutputFolder, used
from .options import CacheOption
from .output import check_output
from .progress import progress_bar
from .shared import with_options
from .skipped import SkipBad, look_through

if TYPE_CHECKING:
    from ..data import Skipped
    from ..explain import Explainer
    from ..labels.examples import Block, ExampleFolder, ExamplesConfig, FeatureExamples
    from ..labels.labellers import Labeller, Proposal
    from ..labels.relabel import NewLabel, RelabelCounts

app = typer.Typer(help="Label features and score the labels. Start with `examples`.", no_args_is_help=True)
ExplainerArgument = Annotated[str, typer.Argument(metavar="EXPLAINER", help="Folder of an explainer, or minilm.")]
ExamplesOption = Annotated[Path, typer.Option("--examples", help="What `xetrieval label examples` wrote.")]
Ids = Annotated[str | None, typer.Option("--ids", help="Only these features, separated by commas; 10-19 is a range.")]
Unnamed = Annotated[bool, typer.Option("--unnamed", help="Only features without a label.")]
Replace = Annotated[
    bool, typer.Option("--replace-worksheet", help="Also replace labels that a person gave with a worksheet.")
]
Corpora = Annotated[list[Path], typer.Option("--corpus", help="A BEIR folder or JSON lines file; may repeat.")]
PerDocument = Annotated[int, typer.Option("--per-document", min=0, help="Sentences drawn from each document.")]


@app.command()
def examples(
    explainer: ExplainerArgument,
    corpora: Annotated[list[Path], typer.Argument(metavar="CORPUS...", help="BEIR folders or JSON lines files.")],
    output: Annotated[Path, typer.Option("--output", help="The new folder. It will contain text of the corpus.")],
    encoder: Annotated[str | None, typer.Option("--encoder", help="Another copy of the explainer's encoder.")] = None,
    per_document: PerDocument = 9,
    top: Annotated[int, typer.Option("--top", min=1, help="Strongest texts of a feature, on each side.")] = 10,
    spread: Annotated[int, typer.Option("--spread", min=1, help="Texts over the rest of the range.")] = 10,
    contrast: Annotated[int, typer.Option("--contrast", min=1, help="Inactive texts, random and hard.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same examples.")] = 0,
    cache: CacheOption = None,
    skip_bad: SkipBad = False,
) -> None:
    """Collect the texts from which features are labelled and judged. The corpus is streamed; encoding is cached."""
    from ..files import check_new_folder
    from ..labels.examples import ExamplesConfig, gather, save_examples

    check_new_folder(output)
    opened = _open(explainer, encoder, cache)
    config = ExamplesConfig(top, spread, contrast, per_document, seed)
    named_from = {example for feature in opened.features for example in feature.examples}
    lost = set(named_from)
    skipped = look_through(corpora, skip_bad, output)

    def blocks() -> Iterator[Block]:
        for block in _blocks(opened, corpora, config, skipped):
            lost.difference_update(passage.id for passage in block.passages)
            yield block

    with progress_bar() as progress:
        gathered = gather(opened.sae, blocks, config, progress)
    save_examples(
        output,
        opened.sae.digest,
        gathered.features,
        {
            "explainer": opened.name,
            "encoder": opened.encoder_identity.to_dict(),
            "corpora": [path.name for path in corpora],
            "passages": gathered.passages,
            "documents": gathered.documents,
            "corpus_digest": gathered.digest,
            "config": asdict(config),
        },
    )
    silent = sum(not feature.documents for feature in gathered.features)
    say(
        f"examples of {len(gathered.features):,} features ({silent:,} silent) from {gathered.passages:,} passages of "
        f"{gathered.documents:,} documents in {output}"
    )
    if lost:
        say(
            f"{len(lost):,} of {len(named_from):,} texts that names were made from are not in this corpus: it is "
            "another one, lost documents, or has other sentences"
        )


@app.command()
def keyphrase(
    explainer: ExplainerArgument,
    examples: ExamplesOption,
    output: OutputFolder = None,
    ids: Ids = None,
    unnamed: Unnamed = False,
    replace_worksheet: Replace = False,
) -> None:
    """Label features with phrases that their texts share and others lack. Offline; takes seconds."""
    from ..labels.labellers import KeyphraseLabeller

    opened, folder = _both(explainer, examples)
    chosen = _chosen(opened, folder, ids, unnamed)
    background = [e.text for f in folder.features for e in f.labelling.random]
    _label(explainer, KeyphraseLabeller(background), chosen, output, replace_worksheet)


@app.command()
@with_options
def llm(
    options: LlmOptions,
    explainer: ExplainerArgument,
    examples: ExamplesOption,
    output: OutputFolder = None,
    candidates: Annotated[
        int, typer.Option("--candidates", min=1, help="Labels to ask for; the best one is kept.")
    ] = 3,
    judge: Annotated[
        str | None, typer.Option("--judge", help="An encoder that chooses between them; default: the model itself.")
    ] = None,
    retries: Annotated[int, typer.Option("--retries", min=0, help="How often an unusable answer is asked again.")] = 2,
    prompt: Annotated[str, typer.Option("--prompt", help="label, or a prompt file of your own.")] = "label",
    ids: Ids = None,
    unnamed: Unnamed = False,
    replace_worksheet: Replace = False,
    dry_run: DryRun = False,
) -> None:
    """Let a language model write labels. It sees active texts with their strengths, and inactive ones.

    Run it again to resume; no answer is paid for twice. Exit code 3: the budget is used up.
    """
    from ..labels.judges import LlmJudge
    from ..labels.labellers import LlmLabeller
    from ..labels.scores import fit_to_examples

    opened, folder = _both(explainer, examples)
    chosen = _chosen(opened, folder, ids, unnamed)
    model = options.open()
    judges = _encoder_judge(judge, opened, options.cache) if judge is not None else LlmJudge(model)
    labeller = LlmLabeller(model, candidates, partial(fit_to_examples, judges), retries, options.concurrency, prompt)
    if dry_run:
        costs = model.estimate(labeller.requests(chosen))
        options.say_costs(f"{len(chosen):,} features, {candidates} candidates each", costs)
        return
    stopped = _label(explainer, labeller, chosen, output, replace_worksheet)
    say(f"{used(model)}")
    if stopped is not None:
        say(f"stopped: {stopped}; run the same command with a larger budget to resume")
        raise typer.Exit(3)


@app.command()
def export(
    explainer: ExplainerArgument,
    examples: ExamplesOption,
    output: Annotated[Path, typer.Option("--output", help="The worksheet, CSV for a spreadsheet.")],
    ids: Ids = None,
    unnamed: Unnamed = False,
) -> None:
    """Write a worksheet: one row per feature, with its texts and an empty column for a label."""
    from ..labels.worksheet import write_worksheet

    check_output(output, Path(explainer), examples)
    opened, folder = _both(explainer, examples)
    rows = write_worksheet(output, opened.sae.digest, _chosen(opened, folder, ids, unnamed), opened.features)
    say(f"{rows:,} features in {output}; fill in the column 'label', then `xetrieval label import`")


@app.command("import")
def import_(
    explainer: ExplainerArgument,
    worksheet: Annotated[Path, typer.Argument(metavar="WORKSHEET", help="What `export` wrote, filled in.")],
    examples: Annotated[
        Path | None, typer.Option("--examples", help="Also check that labels are in the language of the texts.")
    ] = None,
    output: OutputFolder = None,
) -> None:
    """Take labels from a worksheet: all of them, or none if a row cannot be used."""
    from ..explain import load
    from ..labels.relabel import PERSON, NewLabel, relabel
    from ..labels.worksheet import read_worksheet

    opened = load(explainer)
    known = None
    if examples is not None:
        known = {feature.feature_id: feature for feature in _both(explainer, examples)[1].features}
    labels = read_worksheet(worksheet, opened.sae.digest, opened.sae.features, known)
    new = [NewLabel(feature, label, PERSON) for feature, label in labels.items()]
    _say(relabel(explainer, new, output), output or explainer)


@app.command()
def transfer(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The explainer that has the labels.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The explainer that gets them.")],
    corpora: Corpora,
    cosine: Annotated[float, typer.Option("--cosine", help="Lowest cosine of two directions.")] = 0.7,
    overlap: Annotated[float, typer.Option("--overlap", help="Lowest Jaccard index of their activations.")] = 0.3,
    per_document: PerDocument = 9,
    output: OutputFolder = None,
    replace_worksheet: Replace = False,
    cache: CacheOption = None,
    skip_bad: SkipBad = False,
) -> None:
    """Copy labels to another autoencoder's features with a similar direction and similar active texts."""
    from ..errors import MismatchError
    from ..labels.examples import ExamplesConfig
    from ..labels.relabel import NewLabel, relabel
    from ..labels.transfer import match_features

    source, target = _open(old, None, cache), _open(new, None, cache)
    if source.encoder_identity.digest != target.encoder_identity.digest:
        raise MismatchError(f"{old} explains another encoder than {new}; names pass only between features of one")
    skipped = look_through(corpora, skip_bad, output)
    blocks = _blocks(target, corpora, ExamplesConfig(per_document=per_document), skipped)
    with progress_bar() as progress:
        done = [0]

        def vectors() -> Iterator[Any]:
            for block in blocks:
                done[0] += len(block.vectors)
                progress("activations", done[0], done[0], "")
                yield block.vectors

        matched = match_features(source.sae, target.sae, vectors(), cosine, overlap)
    labels = []
    for match in matched.accepted:
        feature = source.features[match.old]
        if feature.label and feature.source:
            event = {"sae": source.sae.digest, **match.fields}
            labels.append(NewLabel(match.new, feature.label, feature.source, feature.prompt, transferred=event))
    _say(relabel(new, labels, output, replace_worksheet=replace_worksheet), output or new)
    say(
        f"{len(matched.accepted):,} features matched, {len(matched.refused):,} nearest pairs refused "
        f"(cosine below {cosine:g} or overlap below {overlap:g}), "
        f"{target.sae.features - len(matched.accepted) - len(matched.refused):,} without a nearest pair"
    )


app.command()(score)


@app.command()
def families(
    explainer: ExplainerArgument,
    examples: ExamplesOption,
    upper: Annotated[int | None, typer.Option("--upper", min=1, help="Families on the upper level.")] = None,
    lower: Annotated[int | None, typer.Option("--lower", min=1, help="Families on the lower level.")] = None,
    output: OutputFolder = None,
) -> None:
    """Group features by direction and co-activation into two levels; flag dense features and duplicates."""
    from ..labels.families import default_sizes
    from ..labels.families import families as group
    from ..labels.relabel import record_families

    opened, folder = _both(explainer, examples)
    usual = default_sizes(opened.sae.features)
    grouped = group(opened.sae.directions, folder.features, opened.features, (upper or usual[0], lower or usual[1]))
    record_families(explainer, grouped, [feature.frequency for feature in folder.features], output)
    above = [family for family in grouped.families if family.parent is None]
    dense = sum("dense" in flags for flags in grouped.flags)
    twins = sum(any(flag.startswith("duplicate") for flag in flags) for flags in grouped.flags)
    say(
        f"{len(above):,} families of {len(grouped.families) - len(above):,}, {dense:,} dense features, "
        f"{twins:,} duplicates in {output or explainer}"
    )


@app.command()
def prune(
    explainer: ExplainerArgument,
    output: Annotated[Path, typer.Option("--output", help="The new explainer.")],
    ids: Ids = None,
    mixed: Annotated[bool, typer.Option("--mixed", help="Features whose labels start with 'mixed:'.")] = False,
) -> None:
    """Make a smaller explainer without uninformative features; the others keep directions and labels."""
    from ..errors import InputError
    from ..explain import load
    from ..labels.naming import MIXED
    from ..labels.prune import prune_folder

    opened = load(explainer)
    drop = set(_numbers(ids)) if ids is not None else set()
    if mixed:
        drop |= {feature.feature_id for feature in opened.features if (feature.label or "").startswith(MIXED)}
    if not drop:
        raise InputError("prune: give --ids, or --mixed where some names start with 'mixed:'")
    smaller = prune_folder(explainer, drop, output)
    say(
        f"{smaller.sae.features:,} of {opened.sae.features:,} features kept in {output}; "
        "gather examples and group again"
    )


def _open(source: str, encoder: str | None, cache: Path | None) -> Explainer:
    from .options import open_explainer

    return open_explainer(source, encoder, cache)


def _both(explainer: str, examples: Path) -> tuple[Explainer, ExampleFolder]:
    """An explainer and the examples of its features; of no other."""
    from ..explain import load
    from ..labels.examples import load_examples

    opened, folder = load(explainer), load_examples(examples)
    folder.check(opened.sae.digest, str(examples))
    return opened, folder


def _blocks(explainer: Explainer, corpora: list[Path], config: ExamplesConfig, skipped: Skipped) -> Iterable[Block]:
    from ..data.sources import stream_documents
    from ..labels.examples import passage_blocks

    return passage_blocks(lambda: stream_documents(corpora, skipped), explainer.encoder, config.per_document)


def _chosen(explainer: Explainer, folder: ExampleFolder, ids: str | None, unnamed: bool) -> list[FeatureExamples]:
    from ..errors import InputError

    wanted = set(_numbers(ids)) if ids is not None else set(range(explainer.sae.features))
    unknown = sorted(wanted - set(range(explainer.sae.features)))
    if unknown:
        raise InputError(f"--ids: there is no feature {unknown[0]} (0 to {explainer.sae.features - 1})")
    chosen = [f for f in folder.features if f.feature_id in wanted and f.documents]
    if unnamed:
        chosen = [f for f in chosen if not explainer.features[f.feature_id].label]
    if not chosen:
        raise InputError("no feature is left to name: all are named already, or silent on these examples")
    return chosen


def _numbers(ids: str) -> Iterator[int]:
    from ..errors import InputError

    for part in ids.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InputError(f"--ids {part.strip()!r}: give numbers by commas, or ranges such as 10-19")
        yield from range(int(first), int(last or first) + 1)


def _label(
    explainer: str, labeller: Labeller, chosen: list[FeatureExamples], output: Path | None, replace_worksheet: bool
) -> str | None:
    """Ask for names and write them, those that came before a budget was spent too; why it ended early."""
    from collections import Counter

    from ..errors import BudgetSpent
    from ..labels.relabel import check_target, relabel

    check_target(explainer, output)
    proposals: list[Proposal] = []
    stopped: str | None = None
    with progress_bar() as progress:
        try:
            for proposal in labeller.label(chosen, progress):
                proposals.append(proposal)
        except BudgetSpent as spent:
            stopped = str(spent)
    top = {f.feature_id: tuple(e.id for e in f.labelling.top[:8]) for f in chosen}
    new = [_new(labeller, p, top[p.feature_id]) for p in sorted(proposals) if p.label]
    _say(relabel(explainer, new, output, replace_worksheet=replace_worksheet), output or explainer)
    for fault, count in Counter(p.fault for p in proposals if p.fault).most_common():
        say(f"{count:,} features left as they were: {fault}")
    return stopped


def _new(labeller: Labeller, proposal: Proposal, examples: tuple[str, ...]) -> NewLabel:
    from ..labels.relabel import NewLabel

    return NewLabel(proposal.feature_id, proposal.label, labeller.source, labeller.prompt, (), examples)


def _say(done: RelabelCounts, target: str | Path) -> None:
    kept = f", {done.kept:,} of a worksheet kept" if done.kept else ""
    say(f"{done.changed:,} names written, {done.same:,} as before{kept} in {target}")


def _encoder_judge(source: str, explainer: Explainer, cache: Path | None) -> Any:
    from ..encoders import CachedEncoder, open_encoder
    from ..labels.judges import EncoderJudge

    return EncoderJudge(CachedEncoder(open_encoder(source), cache), explainer.encoder_identity)
