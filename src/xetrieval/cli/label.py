"""xetrieval label: label features by phrases, a language model or a person; score the labels; group the features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..configs import ExamplesConfig, LlmLabelConfig, Option, Range
from ..errors import BudgetSpent, InputError, MismatchError
from .console import print_message
from .label_score import open_judge, score
from .labelled import ExamplesOption, LabelledArgument, open_labelled
from .llm_options import DryRunOptions, OutputFolder, end
from .options import CacheOption, CorporaArgument, EncoderOption, open_explainer
from .output import check_output
from .progress import progress_bar
from .shared import Commands
from .skipped import SkipBad, check_corpora

if TYPE_CHECKING:
    from ..data import Skipped
    from ..explain import Explainer
    from ..labels.examples import Block, ExampleFolder, FeatureExamples
    from ..labels.labellers import ByLlm, Labeller, Proposal, Shown
    from ..labels.relabel import NewLabel

app = Commands(help="Label features and score the labels. Start with `examples`.", no_args_is_help=True)
ExplainerArgument = Annotated[str, typer.Argument(metavar="EXPLAINER", help="Folder of an explainer, or minilm.")]
Ids = Annotated[str | None, Option("Only these features, separated by commas; 10-19 is a range.")]


@dataclass(frozen=True)
class FeatureOptions:
    """The features to label, and their examples."""

    explainer: LabelledArgument
    examples: ExamplesOption = None
    ids: Ids = None
    unlabelled: Annotated[bool, Option("Only features without a label.")] = False

    def open(self) -> tuple[Explainer, ExampleFolder, list[FeatureExamples]]:
        """The explainer, its examples, and the examples of the chosen features."""
        labelled = open_labelled(self.explainer)
        folder = labelled.examples(self.examples)
        return labelled.explainer, folder, self.chosen(labelled.explainer, [f for f in folder.features if f.documents])

    def chosen(self, explainer: Explainer, features: Sequence[Shown]) -> list[Shown]:
        """The features that the options name."""
        wanted = set(range(explainer.sae.features) if self.ids is None else _numbers(self.ids, explainer.sae.features))
        chosen = [f for f in features if f.feature_id in wanted]
        if self.unlabelled:
            chosen = [f for f in chosen if not explainer.features[f.feature_id].label]
        if not chosen:
            raise InputError("no feature is left to label: all have labels already, or are inactive in these examples")
        return chosen


@dataclass(frozen=True)
class TargetOptions:
    """Where labels go."""

    output: OutputFolder = None
    force: Annotated[bool, Option("Also replace labels that people gave in a worksheet.")] = False

    def relabel(self, explainer: str, labels: list[NewLabel]) -> None:
        """Write labels, and report how many changed."""
        from ..labels.relabel import relabel

        labelled = open_labelled(explainer)
        done = relabel(labelled.target(self.output), labelled.gated(labels), force=self.force)
        kept = f", {done.kept:,} manual labels kept" if done.kept else ""
        print_message(f"{done.changed:,} labels written, {done.same:,} unchanged{kept} in {self.output or explainer}")


@app.command()
def examples(
    explainer: ExplainerArgument,
    corpora: CorporaArgument,
    output: Annotated[Path, Option("The new folder. It will contain text of the corpus.")],
    config: ExamplesConfig,
    encoder: EncoderOption = None,
    cache: CacheOption = None,
    *,
    skip_bad: SkipBad = False,
) -> None:
    """Collect the texts from which features are labelled and judged. The corpus is streamed; vectors are cached."""
    from ..files import check_new_folder
    from ..labels.examples import gather, save_examples

    check_new_folder(output)
    opened = open_explainer(explainer, encoder, cache)
    named_from = {example for feature in opened.features for example in feature.examples}
    lost = set(named_from)
    skipped = check_corpora(corpora, output, skip_bad=skip_bad)

    def blocks() -> Iterator[Block]:
        for block in _blocks(opened, corpora, config.per_document, skipped):
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
    print_message(
        f"examples of {len(gathered.features):,} features ({silent:,} inactive) from {gathered.passages:,} passages of "
        f"{gathered.documents:,} documents in {output}"
    )
    if lost:
        print_message(
            f"{len(lost):,} of {len(named_from):,} texts that labels were made from are not in this corpus: it is "
            "a different corpus, documents are missing, or --sentences differs"
        )


@app.command()
def keyphrase(features: FeatureOptions, target: TargetOptions) -> None:
    """Label features with phrases that their texts share and other texts lack. Works offline and takes seconds."""
    from ..labels.labellers import KeyphraseLabeller

    _, folder, chosen = features.open()
    background = [e.text for f in folder.features for e in f.labelling.random]
    _label(features.explainer, KeyphraseLabeller(background), chosen, target)


@app.command()
def llm(
    features: FeatureOptions,
    target: TargetOptions,
    config: LlmLabelConfig,
    options: DryRunOptions,
    judge: Annotated[str | None, Option("An encoder to choose between candidates; default: the --llm model.")] = None,
) -> None:
    """Let a language model write labels, from examples, or from the uses of the features in an index.

    In an index, it sees pairs of documents that a feature links, and pairs that similar features link. Each label is
    tested on other pairs and rewritten if it does not fit them. Run it again to resume; no answer is paid for twice.
    Exit code 3: the budget is used up.
    """
    labelled = open_labelled(features.explainer)
    labelled.target(target.output).check()
    model = options.open()
    judging = open_judge(judge, model, labelled.explainer, options.cache)
    if labelled.index is not None and features.examples is None:
        from ..index.ask.examples import uses_in
        from ..labels.labellers import UsesLabeller

        uses = features.chosen(labelled.explainer, uses_in(labelled.index))
        _by_llm(UsesLabeller(model, judging, config), uses, features.explainer, target, options)
    else:
        from ..labels.labellers import LlmLabeller
        from ..labels.scores import fit_to_examples

        rating = partial(fit_to_examples, judging)
        _by_llm(LlmLabeller(model, rating, config), features.open()[2], features.explainer, target, options)


def _by_llm(
    labeller: ByLlm[Shown], chosen: list[Shown], explainer: str, target: TargetOptions, options: DryRunOptions
) -> None:
    if options.dry_run:
        costs = labeller.model.estimate(labeller.requests(chosen))
        options.print_costs(f"{len(chosen):,} features, {labeller.config.candidates} candidates each", costs)
        return
    stopped = _label(explainer, labeller, chosen, target)
    end(labeller.model, stopped)


@app.command()
def export(
    features: FeatureOptions,
    output: Annotated[Path, Option("The worksheet, CSV for a spreadsheet.")],
) -> None:
    """Write a worksheet: one row per feature, with its texts and an empty column for a label."""
    from ..labels.worksheet import write_worksheet

    check_output(output, Path(features.explainer), features.examples)
    opened, _, chosen = features.open()
    rows = write_worksheet(output, opened.sae.digest, chosen, opened.features)
    print_message(f"{rows:,} features in {output}; fill in the column 'label', then `xetrieval label import`")
    print_message("it contains texts and labels of the documents: share it only with people who may read them")


@app.command("import")
def import_(
    explainer: LabelledArgument,
    worksheet: Annotated[Path, typer.Argument(metavar="WORKSHEET", help="What `export` wrote, filled in.")],
    examples: Annotated[Path | None, Option("Also check that labels are in the language of the texts.")] = None,
    author: Annotated[str | None, Option("Who wrote the labels; recorded with each label.")] = None,
    output: OutputFolder = None,
) -> None:
    """Import labels from a worksheet: all of them, or none if a row is unusable."""
    from ..labels.relabel import NewLabel, source_of
    from ..labels.worksheet import read_worksheet

    labelled, source = open_labelled(explainer), source_of(author)
    known = None
    if examples is not None:
        known = {feature.feature_id: feature for feature in labelled.examples(examples).features}
    sae = labelled.explainer.sae
    labels = read_worksheet(worksheet, sae.digest, sae.features, known)
    TargetOptions(output).relabel(explainer, [NewLabel(feature, label, source) for feature, label in labels.items()])


@dataclass(frozen=True)
class MatchOptions:
    """The limits above which two features match, and the texts used to measure them."""

    corpora: Annotated[list[Path], Option("A BEIR folder or JSON Lines file; may be repeated.", "--corpus")]
    min_cosine: Annotated[float, Option("Lowest cosine of two directions.")] = 0.7
    min_jaccard: Annotated[float, Option("Lowest Jaccard index of the texts that activate them.")] = 0.3
    sentences: Annotated[int, Option("Sentences to use from each document, besides the document itself."), Range(0)] = (
        ExamplesConfig.per_document
    )
    cache: CacheOption = None
    skip_bad: SkipBad = False


@app.command()
def transfer(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The explainer that has the labels.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The explainer that gets them.")],
    options: MatchOptions,
    into: TargetOptions,
) -> None:
    """Copy labels to another autoencoder's features with a similar direction and similar active texts."""
    from ..labels.relabel import NewLabel
    from ..labels.transfer import match_features

    source, target = open_explainer(old, None, options.cache), open_explainer(new, None, options.cache)
    if source.encoder_identity.digest != target.encoder_identity.digest:
        raise MismatchError(
            f"{old} and {new} explain different encoders; "
            "labels can only be copied between explainers of the same encoder"
        )
    skipped = check_corpora(options.corpora, into.output, skip_bad=options.skip_bad)
    blocks = _blocks(target, options.corpora, options.sentences, skipped)
    with progress_bar() as progress:
        done = [0]

        def vectors() -> Iterator[Any]:
            for block in blocks:
                done[0] += len(block.vectors)
                progress("activations", done[0], done[0], "")
                yield block.vectors

        matched = match_features(source.sae, target.sae, vectors(), options.min_cosine, options.min_jaccard)
    labels = []
    for match in matched.accepted:
        feature = source.features[match.old]
        if feature.label and feature.source:
            event = {"sae": source.sae.digest, **match.fields}
            labels.append(NewLabel(match.new, feature.label, feature.source, feature.prompt, transferred=event))
    into.relabel(new, labels)
    print_message(
        f"{len(matched.accepted):,} features matched, {len(matched.refused):,} nearest pairs refused "
        f"(cosine below {options.min_cosine:g} or Jaccard index below {options.min_jaccard:g}), "
        f"{target.sae.features - len(matched.accepted) - len(matched.refused):,} without a nearest pair"
    )


app.command()(score)


@app.command()
def families(
    explainer: LabelledArgument,
    examples: ExamplesOption = None,
    upper: Annotated[int | None, Option("Families on the upper level."), Range(1)] = None,
    lower: Annotated[int | None, Option("Families on the lower level."), Range(1)] = None,
    output: OutputFolder = None,
) -> None:
    """Group features into two levels by direction and co-activation; flag dense and duplicate features."""
    from ..labels.families import default_sizes
    from ..labels.families import families as group
    from ..labels.relabel import record_families

    labelled = open_labelled(explainer)
    target = labelled.target(output)
    target.check()
    opened, folder = labelled.explainer, labelled.examples(examples)
    usual = default_sizes(opened.sae.features)
    grouped = group(opened.sae.directions, folder.features, opened.features, (upper or usual[0], lower or usual[1]))
    record_families(target, grouped, [feature.frequency for feature in folder.features])
    above = [family for family in grouped.families if family.parent is None]
    dense = sum("dense" in flags for flags in grouped.flags)
    twins = sum(any(flag.startswith("duplicate") for flag in flags) for flags in grouped.flags)
    print_message(
        f"{len(above):,} families of {len(grouped.families) - len(above):,}, {dense:,} dense features, "
        f"{twins:,} duplicates in {output or explainer}"
    )


@app.command()
def prune(
    explainer: ExplainerArgument,
    output: Annotated[Path, Option("The new explainer.")],
    ids: Annotated[str | None, Option("Leave out these features, such as 3,10-19.")] = None,
    *,
    mixed: Annotated[bool, Option("Features whose labels start with 'mixed:'.")] = False,
) -> None:
    """Make a smaller explainer without uninformative features; the others keep directions and labels."""
    from ..explain import load
    from ..labels.naming import MIXED
    from ..labels.prune import prune_folder

    opened = load(explainer)
    drop = set(_numbers(ids, opened.sae.features)) if ids is not None else set()
    if mixed:
        drop |= {feature.feature_id for feature in opened.features if (feature.label or "").startswith(MIXED)}
    if not drop:
        raise InputError("prune: give --ids, or --mixed if some labels start with 'mixed:'")
    smaller = prune_folder(explainer, drop, output)
    print_message(
        f"{smaller.sae.features:,} of {opened.sae.features:,} features kept in {output}; "
        "run `label examples` and `label families` again"
    )


def _blocks(explainer: Explainer, corpora: list[Path], sentences: int, skipped: Skipped) -> Iterable[Block]:
    from ..data.sources import stream_documents
    from ..labels.examples import passage_blocks

    return passage_blocks(lambda: stream_documents(corpora, skipped), explainer.encoder, sentences)


def _numbers(ids: str, features: int) -> Iterator[int]:
    for part in ids.split(","):
        first, dash, last = part.strip().partition("-")
        ends = [first, last] if dash else [first]
        if not all(one.isascii() and one.isdecimal() and len(one) < 20 for one in ends) or int(ends[-1]) < int(first):
            raise InputError(f"--ids {part.strip()[:40]!r}: give numbers separated by commas, or ranges such as 10-19")
        if int(last or first) >= features:
            raise InputError(f"--ids: there is no feature {last or first} (0 to {features - 1})")
        yield from range(int(first), int(last or first) + 1)


def _label(explainer: str, labeller: Labeller[Shown], chosen: list[Shown], target: TargetOptions) -> str | None:
    """Ask for labels and write them, including those made before a budget ran out. Returns why it ended early."""
    from collections import Counter

    from ..labels.examples import FeatureExamples
    from ..labels.relabel import NewLabel

    open_labelled(explainer).target(target.output).check()
    proposals: list[Proposal] = []
    stopped: str | None = None
    with progress_bar() as progress:
        try:
            for proposal in labeller.label(chosen, progress):
                proposals.append(proposal)
        except BudgetSpent as spent:
            stopped = str(spent)
    top = {f.feature_id: tuple(e.id for e in f.labelling.top[:8]) for f in chosen if isinstance(f, FeatureExamples)}
    new = [
        NewLabel(p.feature_id, p.label, labeller.source, labeller.prompt, (), top.get(p.feature_id))
        for p in sorted(proposals)
        if p.label
    ]
    target.relabel(explainer, new)
    for fault, count in Counter(p.fault for p in proposals if p.fault).most_common():
        print_message(f"{count:,} features keep their labels: {fault}")
    return stopped
