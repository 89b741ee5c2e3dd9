"""xetrieval steer down, up, test, merge and diff: act on one hit, and on the profiles that come of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import Option, Range
from ..errors import InputError
from .console import output_console, print_json, print_line, print_message
from .options import Format, FormatOption
from .output import check_output, print_parts
from .search import IndexArgument
from .skipped import print_messages
from .steer import ProfileOptions, app, save_profile

if TYPE_CHECKING:
    from ..index import Index
    from ..index.ask.others import OtherQueries
    from ..index.ask.push import Direction

__all__ = ["app"]

QueryArgument = Annotated[str, typer.Argument(help="The query.")]
DocumentArgument = Annotated[str, typer.Argument(metavar="DOC_ID", help="The document.")]
ProfileArgument = Annotated[Path, typer.Argument(metavar="PROFILE", help="A profile (JSON).")]


@dataclass(frozen=True)
class OtherOptions:
    """The queries that a change should leave as they are."""

    data: Annotated[str | None, Option("BEIR folder, or its name: its queries and judgments.")] = None
    queries: Annotated[Path | None, Option("Queries of a log, JSON lines with _id and text.")] = None

    def read(self, index: Index, query: str | None, most: int | None) -> OtherQueries | None:
        """These queries, without `query` itself; None if there are none."""
        from ..data.benchmark import open_benchmark
        from ..data.judgments import read_queries
        from ..index.ask.others import OtherQueries
        from .streams import readable

        if self.data is not None and self.queries is not None:
            raise InputError("give --data or --queries, not both")
        if self.data is None and self.queries is None:
            return None
        if self.queries is not None:
            with readable([self.queries]) as (kept,):
                texts = [text for text in read_queries(kept).texts if text != query]
            return OtherQueries.of(index, texts, most=most)
        benchmark = open_benchmark(str(self.data))
        print_messages(benchmark.notes)
        pairs = zip(benchmark.query_ids, benchmark.queries, strict=True)
        chosen = {name: text for name, text in pairs if text != query}
        judged = [benchmark.judgments[name] for name in chosen]
        return OtherQueries.of(index, list(chosen.values()), judged, list(chosen), most)


@dataclass(frozen=True)
class PushOptions(OtherOptions):
    """What must not change, and what to save."""

    good: Annotated[
        list[str] | None, Option("Id of a document that must not fall, except behind DOC_ID; may be repeated.")
    ] = None
    harm: Annotated[float, Option("The most harm: 1 - mean rank-biased overlap of 20 other queries."), Range(0, 1)] = (
        0.05
    )
    save: Annotated[Path | None, Option("Write a proposal to this file, as a profile.")] = None
    take: Annotated[int, Option("Which proposal to write."), Range(1)] = 1


@app.command()
def down(
    index: IndexArgument,
    query: QueryArgument,
    doc_id: DocumentArgument,
    options: PushOptions,
    format: FormatOption = Format.text,
) -> None:
    """Find a small change that pushes a hit down, and show what else it changes. The index stays as it is."""
    _push(index, query, doc_id, "down", options, format)


@app.command()
def up(
    index: IndexArgument,
    query: QueryArgument,
    doc_id: DocumentArgument,
    options: PushOptions,
    format: FormatOption = Format.text,
) -> None:
    """Find a small change that brings a document up, and show what else it changes. The index stays as it is."""
    _push(index, query, doc_id, "up", options, format)


def _push(index: Path, query: str, doc_id: str, direction: Direction, options: PushOptions, format: Format) -> None:
    from ..index import open_index
    from ..index.ask.push import push
    from ..index.ask.tables import push_parts

    check_output(options.save, index, options.queries)
    if options.take > 1 and options.save is None:
        raise InputError("--take needs --save: it says which proposal to write")
    opened = open_index(index)
    others = options.read(opened, query, 20)
    found = push(opened, query, doc_id, direction, good=options.good or (), others=others, most_harm=options.harm)
    if format is Format.json:
        print_json(found.to_dict())
    else:
        print_parts(push_parts(found), None)
    if options.save is not None:
        if options.take > len(found.proposals):
            raise InputError(f"--take {options.take}: there are {len(found.proposals)} proposals; nothing was written")
        print_message(save_profile(found.proposals[options.take - 1].profile, options.save))


@app.command("test")
def try_profile(
    index: IndexArgument, profile: ProfileOptions, others: OtherOptions, format: FormatOption = Format.text
) -> None:
    """Rank judged or logged queries without and with a profile: harm, and NDCG@10 where there are judgments."""
    from ..evaluate.profile_test import profile_test
    from ..index import open_index
    from ..index.ask.tables import profile_table

    opened = open_index(index)
    queries = others.read(opened, None, None)
    if queries is None:
        raise InputError("give --data FOLDER with queries and judgments, or --queries FILE of a log")
    chosen = profile.read(opened)
    made = profile_test(opened, chosen, queries)
    if format is Format.json:
        print_json(made.to_dict())
        return
    output_console().print(profile_table(opened, chosen))
    for sentence in made.sentences:
        print_line(sentence)


@app.command()
def merge(
    index: IndexArgument,
    profiles: Annotated[list[Path], typer.Argument(metavar="PROFILE...", help="Profiles (JSON).")],
    output: Annotated[Path, Option("The file for the merged profile (JSON).")],
) -> None:
    """Merge profiles of one kind and scope into one. Two factors of the same feature must be equal."""
    from ..index import open_index
    from ..index.ask.tables import profile_table

    check_output(output, index)
    opened = open_index(index)
    first, *rest = (opened.profile(path) for path in profiles)
    for other in rest:
        first = first.merged(other)
    output_console().print(profile_table(opened, first))
    print_message(save_profile(first, output))


@app.command()
def diff(index: IndexArgument, first: ProfileArgument, second: ProfileArgument) -> None:
    """Compare two profiles feature by feature."""
    from ..index import open_index
    from ..index.ask.tables import difference_parts

    opened = open_index(index)
    one, two = (replace(opened.profile(path), provenance="", note="") for path in (first, second))
    print_parts(difference_parts(opened, one, two), None)
