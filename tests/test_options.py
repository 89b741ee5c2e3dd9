"""Options in pairs, at every door: a pair is in the table and refused, or works, and both leave their mark."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer
from index_data import WORDS
from options_data import QUERY, Home

from xetrieval.cli.benchmarks import BenchmarkOptions
from xetrieval.cli.demo import demo as cli_demo
from xetrieval.cli.doctor import doctor as cli_doctor
from xetrieval.cli.explain import explain as cli_explain
from xetrieval.cli.features import features as cli_features
from xetrieval.cli.fit import fit as cli_fit
from xetrieval.cli.search import search as cli_search
from xetrieval.cli.search import why as cli_why
from xetrieval.cli.shared import with_options
from xetrieval.cli.steer import ProfileOptions
from xetrieval.configs import ChunkConfig
from xetrieval.errors import InputError
from xetrieval.explain import load
from xetrieval.index import BuildConfig, Index, open_index
from xetrieval.index.ask.why import why
from xetrieval.index.search.mode import SearchOptions
from xetrieval.index.search.ranking import prepare
from xetrieval.options import TABLE, WITHOUT_TEXT, Apart, Needs, OfMode, check
from xetrieval.options import rules as rules_of
from xetrieval.registry import SEARCH_MODES

Run = Callable[[frozenset[str]], Any]  # what comes out with these options; the message, where it is refused


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("options"))


@pytest.fixture
def opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands stay what they are, only quicker."""
    import xetrieval.index

    monkeypatch.setattr(xetrieval.index, "open_index", functools.cache(xetrieval.index.open_index))


# ------------------------------------------------------------------ the table, and trying it


def rules(verb: str, options: set[str], called: Mapping[str, str]) -> Iterator[Apart | Needs]:
    """The rules of a verb for one door, by its own names; `called` maps the door's names to the table's."""
    own = {table: name for name, table in called.items()} | {n: n for n in options if n not in called}
    if "input" in own:
        own["rows"] = own["input"]  # or those of a context
    for rule in rules_of(verb, "sparse"):  # `by` is sparse wherever it is set
        if rule[0] in own and rule[1] in own:
            yield type(rule)(own[rule[0]], own[rule[1]], rule[2])


def try_all(
    verb: str,
    options: set[str],
    called: Mapping[str, str],
    run_with: Run,
    unmarked: Set[str] = frozenset(),
    one_of: Set[str] = frozenset(),
) -> None:
    """Every pair of `options`.

    Args:
        unmarked: options that change nothing one can see here; each use says why.
        one_of: what is asked about; one of them has to be there, the first if none is.
    """
    here = list(rules(verb, options, called))

    def whole(some: set[str]) -> frozenset[str]:
        some = set(some)
        while more := {r.other for r in here if isinstance(r, Needs) and r.option in some} - some:
            some |= more
        if one_of and not some & one_of:
            some |= whole({sorted(one_of)[0]})
        return frozenset(some)

    def broken(some: frozenset[str]) -> bool:
        return any(
            {r[0], r[1]} <= some if isinstance(r, Apart) else r.option in some and r.other not in some for r in here
        )

    answers: dict[frozenset[str], Any] = {}
    refusals = 0

    def answer(some: frozenset[str]) -> Any:
        if some not in answers:
            answers[some] = run_with(some)
        return answers[some]

    for pair in itertools.combinations(sorted(options), 2):
        some = whole(set(pair))
        given = answer(some)
        said = given if isinstance(given, str) else ""
        if broken(some):
            assert "cannot be combined" in said or " needs " in said, (pair, given)
            refusals += 1
            continue
        assert not said, (pair, said)
        for option in set(pair) - unmarked - one_of:
            less = some - {option}
            less -= {r.option for r in here if isinstance(r, Needs) and r.other == option}
            if not broken(less):
                assert answer(less) != given, f"{sorted(some)}: {option} left no mark"
    assert 0 < refusals < len(options) * (len(options) - 1) // 2


def test_the_table_names_options_that_there_are() -> None:
    from xetrieval.cli.index import CorpusOptions
    from xetrieval.serve import schemas as s

    named = {name for verb in TABLE for rule in rules_of(verb, "hybrid") for name in rule[:2]}
    python = [Index.search, Index.why, why, SearchOptions, CorpusOptions, BuildConfig, ChunkConfig]
    commands = (cli_search, cli_why, cli_explain, cli_features, cli_fit, cli_doctor, cli_demo)
    python += [with_options(command) for command in commands]
    python += [ProfileOptions, BenchmarkOptions]
    there = {name for function in python for name in inspect.signature(function).parameters}
    there |= (
        set(s.SearchRequest.model_fields) | set(s.ContrastRequest.model_fields) | set(s.ExplainRequest.model_fields)
    )
    there |= {"precision", "model"}  # of open_encoder, what it opens
    otherwise = {"text": "document", "input": "source", "rows": "source", "vector": "query",
                 "written_as": "format", "sources": "source", "encoded": "vectors", "chunk_tokens": "tokens",
                 "chunk_overlap": "overlap", "no_chunks": "whole", "like": "queries_like"}  # fmt: skip
    assert not {otherwise.get(name, name) for name in named} - there
    accepted_by_some = {option for mode in SEARCH_MODES.values() for option in mode.accepts}
    for rule in (rule for table in TABLE.values() for rule in table):
        assert not isinstance(rule, OfMode) or rule.accepted in accepted_by_some | {WITHOUT_TEXT}
        assert rule.reason
        assert isinstance(rule, OfMode) or rule[0] != rule[1]


def test_a_value_that_says_nothing_is_not_given() -> None:
    check("search", {"steer": None, "overview": False, "views": {}, "good": [], "exact": False})
    with pytest.raises(InputError, match=r"^--top needs --explain: "):
        check("search", {"top": 0}, {"top": "--top", "explain": "--explain"})


# ------------------------------------------------------------------ the command line

VIEW = {"view": "views", "query_vector": "vector"}


def typed(function: Callable[..., None], positional: set[str]) -> set[str]:
    return set(inspect.signature(with_options(function)).parameters) - positional


def on_the_command_line(
    base: list[object], values: Mapping[str, list[object]], scratch: Path, end: tuple[object, ...] = ()
) -> Run:
    def call(some: frozenset[str]) -> Any:
        for old in scratch.glob("*"):
            if old.is_file():
                old.unlink()
        done = run(*base, *(word for name in sorted(some) for word in values[name]), *end)
        if done.returncode:
            return refused(done)
        accepted(done)
        return done.stdout, [(p.name, p.read_bytes()) for p in sorted(scratch.glob("*")) if p.is_file()]

    return call


@pytest.mark.slow
@pytest.mark.usefixtures("opened_once")
def test_every_pair_of_options_of_search(home: Home, tmp_path: Path) -> None:
    values: dict[str, list[object]] = {
        "query": [QUERY],
        "query_vector": ["--query-vector", home.folder / "query.npy"],
        "queries": ["--queries", home.folder / "queries.jsonl"],
        "skip_bad": ["--skip-bad"],
        "k": ["-k", 3],
        "by": ["--by", "sparse"],
        "steer": ["--steer", home.folder / "profile.json"],
        "view": ["--view", "qa=0.3"],
        "filter": ["--filter", "site=cs"],
        "exact": ["--exact"],
        "least": ["--least", 0.2],
        "explain": ["--explain"],
        "overview": ["--overview"],
        "good": ["--good", "best0"],
        "bad": ["--bad", "best2"],
        "top": ["--top", 1],
        "format": ["--format", "json"],
        "explainer": ["-x", home.explainer],
    }
    assert set(values) == typed(cli_search, {"index"})
    call = on_the_command_line(["search", home.folder / "index"], values, tmp_path)
    # exact: this index has no faiss, so all vectors are scanned in any case; explainer: a copy with the same names;
    # least: of k and it, only the one that leaves out more shows; skip_bad: no row is bad
    try_all(
        "search",
        set(values),
        VIEW,
        call,
        {"exact", "explainer", "least", "skip_bad"},
        {"query", "query_vector", "queries"},
    )


@pytest.mark.slow
@pytest.mark.usefixtures("opened_once")
def test_every_pair_of_options_of_why(home: Home, tmp_path: Path) -> None:
    values: dict[str, list[object]] = {
        "query": [QUERY],
        "query_vector": ["--query-vector", home.folder / "query.npy"],
        "k": ["-k", 1],
        "over": ["--over", "best2"],
        "counterfactual": ["--counterfactual"],
        "evidence": ["--evidence"],
        "by": ["--by", "sparse"],
        "steer": ["--steer", home.folder / "profile.json"],
        "view": ["--view", "qa=0.3"],
        "top": ["--top", 1],
        "format": ["--format", "html"],
        "output": ["--output", tmp_path / "why.txt"],
        "explainer": ["-x", home.explainer],
    }
    assert set(values) == typed(cli_why, {"index", "doc_id"})
    call = on_the_command_line(["why", home.folder / "index"], values, tmp_path, ("best1",))
    # evidence: all features of this index are weak, so that without --top no line is there to have any
    try_all("why", set(values), VIEW, call, {"explainer", "evidence"}, {"query", "query_vector"})


@pytest.mark.slow
def test_every_pair_of_options_of_explain(home: Home, tmp_path: Path) -> None:
    values: dict[str, list[object]] = {
        "text": [QUERY, home.long],
        "source": ["--input", home.folder / "pairs.jsonl"],
        "query_vectors": ["--query-vectors", home.folder / "q.npy"],
        "document_vectors": ["--document-vectors", home.folder / "z.npy"],
        "output": ["--output", tmp_path / "out"],
        "skip_bad": ["--skip-bad"],
        "encoder": ["--encoder", "hashing"],
        "top": ["--top", 1],
        "written_as": ["--format", "html"],
        "evidence": ["--evidence"],
        "chunks": ["--chunks"],
        "over": ["--over", f"{QUERY} {WORDS[30]}"],
        "counterfactual": ["--counterfactual"],
        "cache": ["--cache", tmp_path / "kept"],
    }
    assert set(values) - {"text"} | {"format", "explainer"} == typed(cli_explain, {"query", "document", "context"}) | {
        "written_as"
    }
    plain = on_the_command_line(["explain", "-x", home.explainer], values, tmp_path)
    bad = {**values, "source": ["--input", home.folder / "bad.jsonl"]}
    with_bad = on_the_command_line(["explain", "-x", home.explainer], bad, tmp_path)

    def call(some: frozenset[str]) -> Any:
        answer = (with_bad if "skip_bad" in some else plain)(some)
        kept = sorted(path.name for path in (tmp_path / "kept").rglob("*.sqlite"))
        for path in (tmp_path / "kept").rglob("*"):
            if path.is_file():
                path.unlink()
        return answer if isinstance(answer, str) else (answer, kept)

    # encoder: the same one, read from another place; skip_bad: where there is no output, standard error says it
    asked_about = {"text", "source", "query_vectors", "document_vectors"}
    try_all("explain", set(values), {"source": "input"}, call, {"encoder", "skip_bad"}, asked_about)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["bm25", "hybrid", "sparse", "concept"])
def test_no_other_ranking_is_steered_seen_through_views_or_given_evidence(home: Home, by: str) -> None:
    index, query = home.folder / "index", "label" if by == "concept" else QUERY
    steer = ("--steer", home.folder / "profile.json")
    for more in (steer, ("--view", "qa=0.3"), ("--exact",), ("--overview",)):
        refused(run("search", index, query, "--by", by, *more), f"--by {by}", str(more[0]), "cannot be combined")
    for more in (steer, ("--view", "qa=0.3"), ("--evidence",), ("--counterfactual",), ("--over", "best2")):
        refused(run("why", index, query, "best1", "--by", by, *more), f"--by {by}", str(more[0]), "cannot be combined")


# ------------------------------------------------------------------ HTTP


@pytest.fixture(scope="module")
def client(home: Home) -> Iterator[Any]:
    pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
    from starlette.testclient import TestClient

    from xetrieval.serve.app import create_app

    app = create_app({"toy": open_index(home.folder / "index")}, random_explainer(), profiles=home.folder / "kept")
    with TestClient(app, base_url="http://localhost") as made:
        yield made


def over_http(client: Any, path: str, base: Mapping[str, Any], values: Mapping[str, Any]) -> Run:
    def call(some: frozenset[str]) -> Any:
        answer = client.post(f"/v1/{path}", json={**base, **{name: values[name] for name in some}})
        assert answer.status_code in (200, 400), answer.text
        return answer.json() if answer.status_code == 200 else str(answer.json()["error"])

    return call


IN_HTTP = {"factors": "steer", "weights": "views", "document": "text"}


@pytest.mark.slow
def test_every_pair_of_fields_over_http(home: Home, client: Any) -> None:
    from xetrieval.serve import schemas as s

    factors = {str(feature): factor for feature, factor in home.factors.items()}
    asked = {"query": QUERY, "vector": np.load(home.folder / "query.npy").tolist()}
    search = asked | {"k": 3, "by": "sparse", "filters": {"site": ["cs"]}, "factors": factors, "weights": {"qa": 0.3},
              "kind": "project", "least": 0.2, "explain": True, "top": 1, "overview": True,
              "good": ["best0"], "bad": ["best2"]}  # fmt: skip
    assert set(search) == set(s.SearchRequest.model_fields) - {"index"}
    call = over_http(client, "search", {"explain": False}, search)
    try_all("search", set(search), IN_HTTP, call, {"least"}, {"query", "vector"})
    explain = {"doc_id": "best1", "document": home.long, "factors": factors, "kind": "project", "evidence": True,
               "top": 1}  # fmt: skip
    assert set(explain) == set(s.ExplainRequest.model_fields) - {"query", "index"}
    call = over_http(client, "explain", {"query": QUERY}, explain)
    try_all("explain", set(explain), IN_HTTP, call, frozenset(), {"doc_id", "document"})
    assert "report.html" in {path.rpartition("/")[2] for path in client.get("/v1/openapi.json").json()["paths"]}
    for wrong in ({"document": "x y"}, {"evidence": True, "doc_id": "best1"}):
        answer = client.post("/v1/report.html", json={"query": QUERY, "factors": factors, **wrong})
        assert answer.status_code == 400
    contrast = {"first": "a b", "second": "b c", "doc_id": "best1", "over": "best2", "evidence": True, "top": 1}
    assert set(contrast) == set(s.ContrastRequest.model_fields) - {"query", "index"}
    call = over_http(client, "contrast", {"query": QUERY}, contrast)
    texts, ids = {"first", "second"}, {"doc_id", "over"}
    try_all("contrast", set(contrast) - {"second", "over"} | texts | ids, {}, call, frozenset(), texts | ids)
    why_asked = asked | {
        "factors": factors,
        "kind": "project",
        "over": "best2",
        "k": 1,
        "counterfactual": True,
        "evidence": True,
        "top": 1,
    }
    assert set(why_asked) == set(s.WhyRequest.model_fields) - {"index", "doc_id"}
    call = over_http(client, "why", {"doc_id": "best1", "counterfactual": False}, why_asked)
    try_all("why", set(why_asked), IN_HTTP, call, frozenset(), {"query", "vector"})


# ------------------------------------------------------------------ Python


def in_python(function: Callable[..., Any], values: Mapping[str, Any], base: Mapping[str, Any]) -> Run:
    def call(some: frozenset[str]) -> Any:
        try:
            found = function(**base, **{name: values[name] for name in some})
        except InputError as error:
            return str(error)
        return [hit.to_dict() for hit in found] if isinstance(found, list) else found.to_dict()

    return call


def test_every_pair_of_arguments_in_python(home: Home) -> None:
    search = {"k": 3, "by": "sparse", "filters": {"site": ["cs"]}, "steer": home.profile, "views": {"qa": 0.3},
              "exact": True}  # fmt: skip
    assert set(search) == set(inspect.signature(home.index.search).parameters) - {"query"}
    call = in_python(home.index.search, search, {"query": QUERY})
    try_all("search", set(search), {}, call, {"exact"})  # no faiss index here
    asked = {"over": "best2", "k": 1, "counterfactual": True, "evidence": 3}
    assert set(asked) == set(inspect.signature(home.index.why).parameters) - {"query", "doc_id"}
    try_all("why", set(asked), {}, in_python(home.index.why, asked, {"query": QUERY, "doc_id": "best1"}))

    def of_query(**given: Any) -> Any:
        ranking = SearchOptions(**{name: given.pop(name) for name in ("by", "steer", "views") if name in given})
        return why(home.index, prepare(home.index, QUERY, ranking), "best1", **given)

    whole = {**asked, "by": "sparse", "steer": home.profile, "views": {"qa": 0.3}}
    try_all("why", set(whole), {}, in_python(of_query, whole, {}))
    vector = home.index.query_vector(QUERY)[0]
    for by in ("bm25", "hybrid", "concept"):
        with pytest.raises(InputError, match=f"by {by} and a query vector cannot be combined"):
            home.index.search(vector, by=by)


def test_no_evidence_is_given_for_a_steered_document(home: Home) -> None:
    steered = home.index.search(QUERY, 1, steer=home.profile)[0].explanation
    with pytest.raises(InputError, match="a steered document and evidence cannot be combined"):
        home.index.explainer.with_evidence(steered)
    assert load(home.explainer).name == "toy"
