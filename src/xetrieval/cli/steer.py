"""xetrieval steer: learn which features to turn up or down, and see what that does to a ranking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import give_json, give_line, output_console, say
from .options import Format, FormatOption
from .output import check_output
from .progress import progress_bar
from .search import IndexArgument
from .skipped import SkipBad, collector, report_skipped, say_all

if TYPE_CHECKING:
    from ..index import Index
    from ..steer import SteeringProfile

app = typer.Typer(help="Turn features up and down: learn a profile, see its effect.", no_args_is_help=True)


@app.command()
def suggest(
    index: IndexArgument,
    output: Annotated[Path, typer.Option("--output", help="Where the profile goes (JSON).")],
    data: Annotated[
        str | None, typer.Option("--data", help="BEIR folder with queries.jsonl and qrels, or its name.")
    ] = None,
    clicks: Annotated[
        Path | None, typer.Option("--clicks", help='JSON lines {"query", "doc_id", "clicks"} of a query log.')
    ] = None,
    queries: Annotated[int | None, typer.Option("--queries", min=10, help="A sample of this many queries.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same folds.")] = 0,
    format: FormatOption = Format.text,
    skip_bad: SkipBad = False,
) -> None:
    """Learn a profile from judgments or clicks, and measure its gain on queries that it did not learn from."""
    from ..data.benchmark import open_benchmark, sample_benchmark
    from ..data.judgments import absent_documents, read_clicks
    from ..errors import InputError
    from ..evaluate.suggest import SuggestConfig
    from ..evaluate.suggest import suggest as run
    from ..index import open_index

    if (data is None) == (clicks is None):
        raise InputError("give --data FOLDER with queries and judgments, or --clicks FILE")
    check_output(output, clicks, None if data is None else Path(data), index)
    opened = open_index(index)
    own: list[str | None] | None = None
    skipped = collector(skip_bad)
    if data is not None:
        benchmark = sample_benchmark(open_benchmark(data, skipped), queries, None, seed)
        texts = benchmark.queries
        judged: list[Any] = [benchmark.judgments[query] for query in benchmark.query_ids]
        own, source = list(benchmark.query_ids), benchmark.name
        say_all(benchmark.notes)
    else:
        assert clicks is not None
        texts, judged = read_clicks(clicks, skipped)
        source = clicks.name
    report_skipped(skipped, output)
    named = {str(place): one for place, one in enumerate(judged)}
    say_all(absent_documents(named, lambda name: opened.find(name) is not None))
    with progress_bar() as progress:
        made = run(opened, texts, judged, SuggestConfig(seed=seed), source, progress, own)
    done = _save(made.profile, output)
    if format is Format.json:
        give_json(made.to_dict())
    else:
        _print_profile(opened, made.profile)
        give_line(made.sentence())
        say(done)


@app.command()
def apply(
    index: IndexArgument,
    query: Annotated[str, typer.Argument(help="The query.")],
    profile: Annotated[Path | None, typer.Option("--profile", help="A profile (JSON).")] = None,
    factor: Annotated[
        list[str] | None, typer.Option("--set", help="FEATURE=FACTOR: 0 removes the feature, 2 doubles it; may repeat.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the profile, including --set, to this file.")
    ] = None,
    k: Annotated[int, typer.Option("--hits", "-k", min=1, help="How many documents.")] = 10,
    format: FormatOption = Format.text,
) -> None:
    """Rank with and without a profile, side by side. The index does not change."""
    from ..errors import InputError
    from ..index import open_index
    from ..index.ask.moves import moves
    from ..steer import SteeringProfile

    if profile is None and not factor:
        raise InputError("give --profile FILE, or --set FEATURE=FACTOR")
    check_output(save, index)
    opened = open_index(index)
    sae = opened.explainer.sae
    chosen = SteeringProfile({}, sae.digest) if profile is None else SteeringProfile.load(profile, sae)
    if factor:
        chosen = chosen.with_factors(factor, sae)
    found = moves(opened, query, chosen, k)
    if save is not None:
        say(_save(chosen, save))
    if format is Format.json:
        give_json(found.to_dict())
        return
    from rich.table import Table
    from rich.text import Text

    from ..text import printable, shorten

    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    for column in ("rank", "before", "", "score", "before"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("document", overflow="ellipsis", no_wrap=True, ratio=1)
    for move in found.hits:
        rose = move.before_rank - move.rank
        arrow = Text(f"▲{rose}", "green") if rose > 0 else Text(f"▼{-rose}", "red") if rose < 0 else Text("·", "dim")
        table.add_row(
            str(move.rank),
            str(move.before_rank),
            arrow,
            f"{move.score:.4f}",
            f"{move.before_score:.4f}",
            Text.assemble((printable(move.doc_id), "cyan"), f"  {shorten(move.text, 120)}"),
        )
    output_console().print(table)


def _save(profile: SteeringProfile, path: Path) -> str:
    """Save a profile; the words for what was done: one that was there is replaced."""
    from ..files import is_stream

    there = path.exists() and not is_stream(path)
    profile.save(path)
    return f"{'replaced' if there else 'written to'} {path}"


def _print_profile(index: Index, profile: SteeringProfile) -> None:
    from rich.text import Text

    from ..render.fitted import Column, Fitted, Line
    from ..text import printable

    if not profile.factors:
        return
    lines = []
    for feature, factor in sorted(profile.factors.items(), key=lambda item: -item[1]):
        name = index.explainer.features[feature].name
        style = "green" if factor > 1 else "red"
        count = f"{int(index.frequency[feature]):,}"
        figures = (str(feature), Text(f"{factor:.2f}", style), count)
        lines.append(Line((Text(printable(name)), *figures), min(1.0, factor - 1), style))
    columns = (Column("name", 48), Column("feature"), Column("factor"), Column("documents"))
    output_console().print(Fitted(columns, lines, bar=12))
