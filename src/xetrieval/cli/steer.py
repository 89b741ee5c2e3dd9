"""xetrieval steer: learn which features to turn up or down, and see what that does to a ranking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..configs import Option, Range, SuggestConfig
from ..errors import InputError
from .console import output_console, print_json, print_line, print_message
from .options import Format, FormatOption
from .output import check_output
from .progress import progress_bar
from .search import IndexArgument
from .shared import Commands, check_options
from .skipped import SkipBad, print_messages, report_skipped, skipped_rows

if TYPE_CHECKING:
    from ..index import Index
    from ..steer import SteeringProfile


class KindChoice(StrEnum):
    """What factors do."""

    scale = "scale"
    project = "project"


app = Commands(help="Turn features up and down: learn a profile, see its effect.", no_args_is_help=True)


@dataclass(frozen=True)
class JudgmentOptions:
    """Which documents are relevant to which query."""

    data: Annotated[str | None, Option("BEIR folder with queries.jsonl and qrels, or its name.")] = None
    clicks: Annotated[Path | None, Option('JSON lines {"query", "doc_id", "clicks"} of a query log.')] = None
    queries: Annotated[int | None, Option("A sample of this many queries."), Range(10)] = None
    skip_bad: SkipBad = False


@app.command()
def suggest(
    index: IndexArgument,
    output: Annotated[Path, Option("The file for the profile (JSON).")],
    judgments: JudgmentOptions,
    config: SuggestConfig,
    format: FormatOption = Format.text,
) -> None:
    """Learn a profile from judgments or clicks, and measure its gain on held-out queries."""
    from ..data.benchmark import open_benchmark, own_rows, sample_benchmark
    from ..data.judgments import absent_documents, read_clicks
    from ..evaluate.suggest import suggest as run
    from ..index import open_index
    from ..index.ask.tables import profile_table
    from .streams import readable

    data, clicks = judgments.data, judgments.clicks
    if (data is None) == (clicks is None):
        raise InputError("give --data FOLDER with queries and judgments, or --clicks FILE")
    check_output(output, clicks, None if data is None else Path(data), index)
    opened = open_index(index)
    own: list[str | None] | None = None
    skipped = skipped_rows(skip_bad=judgments.skip_bad)
    if data is not None:
        benchmark = sample_benchmark(open_benchmark(data, skipped), judgments.queries, None, config.seed)
        texts = benchmark.queries
        judged: list[Any] = [benchmark.judgments[query] for query in benchmark.query_ids]
        own = [None if row is None else benchmark.documents[row].id for row in own_rows(benchmark)]
        source = benchmark.name
        print_messages(benchmark.notes)
    else:
        assert clicks is not None
        with readable([clicks], skipped) as (kept,):
            texts, judged = read_clicks(kept, skipped)
        source = clicks.name
    report_skipped(skipped, output)
    named = {str(place): one for place, one in enumerate(judged)}
    print_messages(absent_documents(named, lambda name: bool(opened.rows_of(name))))
    with progress_bar() as progress:
        made = run(opened, texts, judged, config, source, progress, own)
    done = save_profile(made.profile, output)
    if format is Format.json:
        print_json(made.to_dict())
    else:
        if made.profile.factors:
            output_console().print(profile_table(opened, made.profile))
        print_line(made.sentence())
        print_message(done)


@dataclass(frozen=True)
class ProfileOptions:
    """A profile: a file, single factors, or both."""

    profile: Annotated[Path | None, Option("A profile (JSON).")] = None
    factor: Annotated[
        list[str] | None,
        Option(
            "FEATURE=FACTOR: 0 removes the feature, 2 doubles it; FEATURE is a number or a label that only one "
            "feature has; may be repeated.",
            "--set",
        ),
    ] = None
    only: Annotated[
        list[str] | None,
        Option("Change only documents that meet this filter, e.g. site=cs; may be repeated.", "--only"),
    ] = None
    queries_like: Annotated[
        list[str] | None, Option("Only for queries like this one; may be repeated.", "--like", "QUERY")
    ] = None
    least_cosine: Annotated[
        float | None, Option("With --like: the least cosine of such a query. Default: 0.8."), Range(0, 1)
    ] = None
    kind: Annotated[
        KindChoice | None, Option("project: take features out of every document; scale (default): scale activations.")
    ] = None

    def read(self, index: Index) -> SteeringProfile:
        """The profile, checked against an index."""
        from ..index.ask.others import scope_of
        from ..steer import SteeringProfile

        if self.profile is None and not self.factor:
            raise InputError("give --profile FILE, or --set FEATURE=FACTOR")
        check_options("profile", {"like": self.queries_like, "least_cosine": self.least_cosine is not None})
        empty = SteeringProfile({}, index.explainer.sae.digest)
        chosen = empty if self.profile is None else index.profile(self.profile)
        chosen = chosen.with_factors(self.factor or (), index.explainer.features)
        if self.queries_like:
            chosen = replace(chosen, scope=scope_of(index, self.queries_like, self.least_cosine))
        if self.only:
            chosen = replace(chosen, scope=chosen.scope._replace(filters=tuple(self.only)))
        return chosen if self.kind is None else replace(chosen, kind=self.kind.value)


@app.command()
def apply(
    index: IndexArgument,
    query: Annotated[str, typer.Argument(help="The query.")],
    options: ProfileOptions,
    save: Annotated[Path | None, Option("Write the profile, including --set, to this file.")] = None,
    note: Annotated[str | None, Option("With --save: a note in the profile, such as why it was made.")] = None,
    k: Annotated[int, Option("How many documents.", "--hits -k"), Range(1)] = 10,
    format: FormatOption = Format.text,
) -> None:
    """Rank with and without a profile, side by side. The index does not change."""
    from ..index import open_index
    from ..index.ask.moves import moves
    from ..index.ask.tables import moves_table

    check_output(save, index)
    if note is not None and save is None:
        raise InputError("--note needs --save: it is written into the profile")
    opened = open_index(index)
    chosen = options.read(opened)
    chosen = chosen if note is None else replace(chosen, note=note)
    found = moves(opened, query, chosen, k)
    if save is not None:
        print_message(save_profile(chosen, save))
    if format is Format.json:
        print_json(found.to_dict())
    else:
        print_messages(found.notes)
        output_console().print(moves_table(found))


def save_profile(profile: SteeringProfile, path: Path) -> str:
    """Save a profile; returns a message that says whether a file was replaced."""
    from ..files import is_stream

    there = path.exists() and not is_stream(path)
    profile.save(path)
    return f"{'replaced' if there else 'written to'} {path}"
