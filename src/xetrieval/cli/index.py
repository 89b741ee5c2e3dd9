"""xetrieval index: build, change and examine an index of a corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import BuildConfig, ChunkConfig, Option, Range, Seed
from ..errors import InputError
from ..registry import EXPORT_TARGETS, SEARCH_ENGINES
from ..text import printable
from .console import output_console, print_json, print_message
from .index_build import NO_WORDS, CorpusOptions, build_from
from .options import CORPORA, Format, FormatOption
from .output import print_parts
from .progress import progress_bar
from .shared import Commands

if TYPE_CHECKING:
    from ..index import Index
    from ..index.store.manifest import Manifest

app = Commands(help="Make and maintain an index of a corpus.", no_args_is_help=True)

Sources = Annotated[list[Path] | None, typer.Argument(help=f"{CORPORA}; - is standard input.")]
TARGETS = ", ".join(target.example for target in EXPORT_TARGETS.values())
ACCELERATE_AGAIN = "the files that speed up search were removed: run `xetrieval index accelerate {index}` again"
Folder = Annotated[Path, typer.Argument(metavar="INDEX", help="The index's folder.")]


@app.command()
def build(
    output: Annotated[Path, Option("The index's folder.")],
    corpus: CorpusOptions,
    chunks: ChunkConfig,
    config: BuildConfig,
    sources: Sources = None,
    explainer: Annotated[
        str | None, Option("minilm (shipped; the default without --encoder), or the folder of another explainer.", "-x")
    ] = None,
) -> None:
    """Build an index. If interrupted, run the same command again to resume.

    Documents longer than the encoder reads are cut into chunks named ID#1, ID#2, ..., so that all their text counts.
    """
    build_from(corpus, chunks, config, sources or [], explainer, output)


@app.command()
def add(
    index: Folder, corpus: CorpusOptions, chunks: ChunkConfig, config: BuildConfig, sources: Sources = None
) -> None:
    """Add documents, and replace those whose text or metadata changed, with all their chunks.

    Documents that are no longer in the corpus stay in the index until `index delete` removes them. Replaced texts are
    no longer found, but they stay in the index's files until `index compact`. Documents are cut into chunks as before,
    unless you choose otherwise.
    """
    from ..index import open_index
    from ..index.ask.drift import drift
    from ..index.store.manifest import explainer_of

    explainer = explainer_of(index)
    if not explainer.is_dir():
        raise InputError(f"{index}: there is no index to add to; make one with `xetrieval index build`")
    build_from(corpus, chunks, replace(config, adding=True), sources or [], str(explainer), index)
    opened = open_index(index)
    found = drift(opened)
    if found and (note := found.note(opened)):
        print_message(note)


@app.command()
def delete(
    index: Folder,
    ids: Annotated[list[str], typer.Argument(help="Ids of documents, or of chunks of documents.")],
) -> None:
    """Delete documents; they are no longer found, but their texts stay in the index's files until `index compact`."""
    from ..index.build.delete import delete_documents
    from ..index.store.manifest import read_index_manifest

    before = read_index_manifest(index).alive
    left = delete_documents(index, ids)
    print_message(f"{before - left:,} deleted, {left:,} documents left")


@app.command()
def compact(index: Folder) -> None:
    """Remove deleted and replaced documents from the index's files. Search results do not change.

    What was learned from them (labels, ids of examples, vectors of sentences) stays until `index relearn`. If
    interrupted, run the same command again to resume. It needs free disk space for a copy of the remaining documents.
    """
    from ..index import open_index
    from ..index.build.compact import compact_index
    from ..index.search.nearest import has_engine_files

    fast = has_engine_files(index)
    with progress_bar() as progress:
        done = compact_index(index, progress)
    if not done.removed:
        print_message(f"{index}: nothing to remove; {done.documents:,} documents")
        return
    sizes = " to ".join(f"{size / 2**20:,.1f}" for size in (done.bytes_before, done.bytes_after))
    print_message(
        f"{index}: {done.removed:,} deleted or replaced texts removed, {done.documents:,} documents; {sizes} MiB"
    )
    if open_index(index).learned_here:
        print_message(
            "labels, ids of examples and vectors of sentences from removed documents stay in the index's explainer "
            f"until `xetrieval index relearn {index}`"
        )
    if fast:
        print_message(ACCELERATE_AGAIN.format(index=index))


@app.command()
def relearn(
    index: Folder,
    seed: Annotated[Seed, Option("Same index and seed, same features.")] = 0,
) -> None:
    """Retrain an index's features on its current documents, without encoding any document.

    Features that reappear keep their ids and labels; ids of lost ones are never reused. Meanwhile the index can be used
    with its old features. If interrupted, run the same command again to resume.
    """
    from ..index import open_index
    from ..index.build.relearn import relearn_index
    from ..index.search.nearest import has_engine_files

    fast = has_engine_files(index)
    with progress_bar() as progress:
        done = relearn_index(index, seed, progress)
    if done.replaced:
        print_message(f"{index}: {done.new:,} features learned from its documents replace those of {done.replaced}")
    else:
        print_message(
            f"{index}: {done.kept:,} features carried over with their ids and labels, {done.new:,} new, "
            f"{done.lost:,} lost"
        )
    if done.lost_labels:
        print_message("labels that a person wrote, of lost features (the explainer's config.json keeps them):")
        for feature_id, label in done.lost_labels.items():
            print_message(f"  {feature_id}: {printable(label)}")
    opened = open_index(index)
    print_message(f"dictionary: {_dictionary(opened)}")
    if any(opened.manifest.has_words):
        print_message("documents keep the words of features carried over; words of new features need a new build")
    if fast:
        print_message(ACCELERATE_AGAIN.format(index=index))


@app.command()
def accelerate(
    index: Folder,
    engines: Annotated[
        list[str],
        typer.Argument(metavar="ENGINE...", help="; ".join(f"{name}: {e.about}" for name, e in SEARCH_ENGINES.items())),
    ],
) -> None:
    """Make dense search faster; worthwhile from about 200,000 documents."""
    from ..index import open_index
    from ..index.search.nearest import accelerate as make
    from ..index.search.nearest import engine

    for name in engines:
        engine(name)  # refuses unknown names before any work
    opened = open_index(index)
    for name in engines:
        made = make(opened, name)
        exact = SEARCH_ENGINES[name].exact
        note = "search stays exact" if exact else f"finds {made.recall_at_10:.1%} of the exact top 10"
        print_message(
            f"{name}: {made.bytes / 2**20:,.0f} MiB; {note}{'' if exact else '; `search --exact` scans all vectors'}"
        )


@app.command()
def verify(index: Folder) -> None:
    """Compare every file with its hash to find damage, and list files that do not belong to the index."""
    from ..index.build.verify import verify_index

    with progress_bar() as progress:
        verified = verify_index(index, progress)
    print_message(f"{index}: undamaged; {verified.files} files match the manifest")
    for name in verified.unknown[:20]:
        print_message(f"does not belong to this index: {name}")
    if len(verified.unknown) > 20:
        print_message(f"... and {len(verified.unknown) - 20:,} more files")


@app.command()
def export(
    index: Folder,
    to: Annotated[str, Option(f"URL of a target that does not exist yet (docs/integrations.md): {TARGETS}.")],
) -> None:
    """Write an index into a store: documents, vectors, codes, and the names of each document's strongest features.

    Features become a sparse vector, and their names a field to filter by. Elasticsearch and OpenSearch get a folder of
    bulk requests, with the mapping and the queries.
    """
    from ..connect.write import write_index
    from ..index import open_index

    count = write_index(open_index(index), to)
    print_message(
        f"{to}: {count:,} documents with their texts, vectors, codes and names of features; names are words of the "
        "documents, so share it only with those who may see them"
    )


@app.command()
def info(index: Folder) -> None:
    """Show what an index contains and what it was made from."""
    from rich.table import Table
    from rich.text import Text

    from ..index import open_index
    from ..index.build.verify import folder_bytes
    from ..index.store.texts import not_read

    opened = open_index(index)
    manifest, changed = opened.manifest, _added_later(opened)
    table = Table(box=None, show_header=False, pad_edge=False)
    size, removed = folder_bytes(index), manifest.deleted.rows
    each = f", {size / manifest.rows:,.0f} bytes per document" if manifest.alive else ""
    rows = [
        ("documents", f"{manifest.alive:,}" + (f" ({removed:,} deleted)" if removed else "")),
        ("explainer", f"{manifest.explainer.name}, {manifest.features:,} features, views {', '.join(manifest.views)}"),
        ("dictionary", _dictionary(opened)),
        *((("removed", ", ".join(one.numbered for one in gone)),) if (gone := opened.explainer.removed) else ()),
        *(() if changed is None else (("new documents", changed),)),
        ("encoder", f"{manifest.explainer.encoder}, {manifest.dimension} dimensions"),
        ("text not read", not_read(opened.read_totals())),
        ("words", _words(manifest)),
        ("fields to filter by", ", ".join(opened.fields) or "none"),
        ("size", f"{size / 2**20:,.1f} MiB{each}"),
        *(
            (
                "made from",
                f"{', '.join(one['sources']) or one['vectors']}: {one['added']:,} new, {one['updated']:,} replaced",
            )
            for one in manifest.made_from
        ),
    ]
    for name, value in rows:
        table.add_row(Text(name, "dim"), Text(printable(value)))
    output_console().print(table)


@app.command()
def report(
    index: Folder,
    topics: Annotated[int, Option("How many families to show."), Range(1)] = 20,
    format: FormatOption = Format.text,
) -> None:
    """Show what the corpus is about: families, uninformative features, documents found for almost any query."""

    from ..index import open_index
    from ..index.ask.report import report as look
    from ..index.ask.tables import report_parts

    found = look(open_index(index), topics)
    if format is Format.json:
        print_json(found.to_dict())
    else:
        print_parts(report_parts(found), None)


def _words(manifest: Manifest) -> str:
    """Whether the index stores words of the documents, in one line."""
    found = manifest.has_words
    known = sum(shard["rows"] for has, shard in zip(found, manifest.shards, strict=True) if has)
    return "stored" if all(found) else f"not stored: {NO_WORDS}" if not known else f"stored for {known:,} documents"


def _dictionary(index: Index) -> str:
    """Where the features come from, and how good they are here."""
    from ..explain.verdict import verdict

    if not index.learned_here:
        return f"not learned from this corpus; xetrieval doctor {index.folder} measures how good it is here"
    figures = index.explainer.metrics.get("pairs")
    if not figures and index.explainer.removed:
        return (
            f"learned from this corpus; some were removed; xetrieval doctor {index.folder} measures how good it is now"
        )
    if not figures:
        return "learned from this corpus, which is too small to hold out texts for measuring"
    found = verdict(figures["explained"], figures["explained_untrained"])
    return f"learned from this corpus; {found.word}: {found.why}, on {figures['pairs']:,} pairs"


def _added_later(index: Index) -> str | None:
    """How many documents were added since the features were trained, and whether they are poorly explained."""
    from ..index.ask.drift import drift

    found = drift(index)
    return found and (found.note(index) or f"{found.added:,} since the features were learned; no need to relearn")
