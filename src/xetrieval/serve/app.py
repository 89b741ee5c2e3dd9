"""The application: versioned routes under /v1, the page at /."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from .. import __version__
from ..errors import InputError, XetrievalError
from ..explain import Contrast, Explainer, Explanation
from ..explain.explanation import BIAS, REMAINDER
from ..files import cache_folder, parse_json
from ..index import Index
from ..index.ask.answer import SearchAnswer
from ..index.ask.catalogue import FeaturePage
from ..index.ask.moves import SteeredRanking
from ..index.ask.report import CorpusReport
from ..index.ask.why import Why
from ..index.store.texts import StoredDocument
from ..labels.card import FeatureCard
from ..records import record_of
from ..render.page import page
from . import schemas as s
from .address import LOOPBACK, check_prefix, host_names, place_of
from .limits import Gate, Limits, asked_words
from .models import model_of
from .service import NotFound, Service, plain

PAGE: Final = Path(__file__).parent / "page"
LOG: Final = logging.getLogger("xetrieval.serve")
IndexName = Annotated[str | None, Query(max_length=200, description="The first, if none is named.")]


def create_app(
    indexes: Mapping[str, Index],
    explainer: Explainer,
    limits: Limits | None = None,
    hosts: frozenset[str] = LOOPBACK,
    token: str | None = None,
    profiles: Path | None = None,
    root_path: str = "",
) -> Any:
    """The ASGI application. It may be mounted below a path of another one.

    Args:
        explainer: for texts, where there is no index.
        hosts: names it may be addressed by; empty: any.
        token: what requests must carry; None: nothing.
        profiles: where steering profiles are kept; None: the user's cache folder.
        root_path: what its paths begin with behind a proxy, /NAME; whether the proxy takes it off does not matter.
    Raises:
        InputError: an empty token, one that does not fit in a cookie, or an invalid host name or path.
    """
    hosts, root_path = host_names(hosts), check_prefix(root_path)
    limits = limits or Limits()
    service = Service(indexes, explainer, profiles or cache_folder() / "profiles")
    app = FastAPI(
        title="Xetrieval",
        version=__version__,
        description="Why a document scores as it does: features, shares, evidence, comparisons, steering.",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
    )
    app.router.route_class = _Route
    app.state.service = service
    for add in (_questions, _catalogue, _steering):
        add(app, service)
    _problems(app, service)
    app.router.default = _page()
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    return Gate(app, limits, hosts, token, root_path)


class _Body(Request):
    """A request whose JSON is read strictly: duplicate names and what other readers refuse are errors."""

    async def json(self) -> Any:
        try:
            return parse_json(await self.body())
        except InputError as error:
            raise HTTPException(422, f"the request: {error}") from error


class _Route(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = {field.alias for field in self.dependant.query_params}

        async def answer(request: Request) -> Response:
            names = [name for name, _ in request.query_params.multi_items()]
            for name in names:
                if name not in known:
                    raise HTTPException(422, f"{name[:60]!r}: unknown parameter; this route takes {_either(known)}")
                if names.count(name) > 1:
                    raise HTTPException(422, f"{name[:60]!r}: duplicate parameter")
            return await handle(_Body(request.scope, request.receive))

        return answer


def _either(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _questions(app: FastAPI, service: Service) -> None:
    route = _route(app)

    @app.get("/v1/health", response_model=model_of(s.Health), responses={422: s.Problem[422]})
    def health() -> Any:
        """Whether the server answers, and which indexes it has."""
        words = {"bias": BIAS, "remainder": REMAINDER}
        return _json(s.Health("ok", __version__, service.describe(), words))

    @route("POST", "/v1/search", SearchAnswer)
    def search(request: s.SearchRequest) -> Any:
        """Documents for a query, each with what carries its score."""
        return _json(service.search(request))

    @route("POST", "/v1/find", s.FindAnswer)
    def find(request: s.FindRequest) -> Any:
        """A document that a person has in mind, by its id or by some of its words."""
        return _json(service.find(request))

    @route("POST", "/v1/explain", Explanation)
    def explain(request: s.ExplainRequest) -> Any:
        """Why a document gets its score: by id in an index, or any text."""
        return _json(service.explain(request))

    @route("POST", "/v1/contrast", Contrast)
    def contrast(request: s.ContrastRequest) -> Any:
        """Why one document scores above another, and what would swap them."""
        return _json(service.contrast(request))

    @route("POST", "/v1/why", Why)
    def why(request: s.WhyRequest) -> Any:
        """Why a document has its rank and not a higher one, and what would change it."""
        return _json(service.why(request))

    @app.post("/v1/report.html", response_class=HTMLResponse, responses=s.Problem)
    def report_html(request: s.ExplainRequest) -> Any:
        """One explanation as a page to keep or send."""
        answer = service.explain(request)
        return HTMLResponse(page(answer, None))


def _catalogue(app: FastAPI, service: Service) -> None:
    route = _route(app)

    @route("GET", "/v1/features", FeaturePage)
    def features(
        index: IndexName = None,
        search: Annotated[str, Query(max_length=200)] = "",
        family: Annotated[int | None, Query(ge=0, lt=1 << 31)] = None,
        offset: Annotated[int, Query(ge=0, lt=1 << 31)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Any:
        """Features by name, by family, or all."""
        return _json(service.features(index, search, family, offset, limit))

    @route("GET", "/v1/features/{feature_id}", FeatureCard)
    def feature(feature_id: s.FeatureId, index: IndexName = None) -> Any:
        """One feature: name, scores of the name, neighbours, and documents of the index that have it most."""
        return _json(service.feature(index, feature_id))

    @route("GET", "/v1/documents", StoredDocument)
    def document(id: Annotated[str, Query(min_length=1, max_length=1000)], index: IndexName = None) -> Any:
        """A document as it is stored."""
        return _json(service.document(index, id))

    @route("GET", "/v1/report", CorpusReport)
    def report(index: IndexName = None) -> Any:
        """What a corpus is about."""
        return _json(service.report(index))


def _steering(app: FastAPI, service: Service) -> None:
    route = _route(app)

    @route("POST", "/v1/steering/apply", SteeredRanking)
    def apply(request: s.ApplyRequest) -> Any:
        """A ranking with features turned up or down, and the ranks of its documents without that."""
        return _json(service.moves(request))

    @route("POST", "/v1/steering/suggest", s.Suggestion)
    def suggest(request: s.ThumbsRequest) -> Any:
        """Factors from thumbs on the hits of one query."""
        return _json(service.suggest(request))

    @route("GET", "/v1/steering/profiles", s.Profiles)
    def profiles(index: IndexName = None) -> Any:
        """Saved profiles."""
        return _json(service.kept_profiles(index))

    @route("POST", "/v1/steering/profiles", s.Profile)
    def keep(request: s.ProfileRequest) -> Any:
        """Save a profile."""
        return _json(service.keep_profile(request))


def _route(app: FastAPI) -> Callable[[str, str, Any], Callable[[Any], Any]]:
    """A decorator for a route, with the type of its answer and the ways in which it is refused."""

    def route(method: str, path: str, answer: Any) -> Callable[[Any], Any]:
        return app.api_route(path, methods=[method], response_model=model_of(answer), responses=s.Problem)

    return route


def _json(answer: Any) -> JSONResponse:
    """An answer of the library as JSON; FastAPI describes its type and does not convert it."""
    return JSONResponse(record_of(answer))


def _page() -> Any:
    """What answers where the API has no route: the files of the page, but nothing below /v1."""
    files = StaticFiles(directory=PAGE, html=True) if PAGE.is_dir() else None

    async def found(scope: Scope, receive: Receive, send: Send) -> None:
        own = place_of(scope["path"], scope.get("root_path", "")).path
        if files is None or scope["type"] != "http" or f"{own}/".startswith("/v1/"):
            raise HTTPException(404)
        await files(scope, receive, send)

    return found


def _problems(app: FastAPI, service: Service) -> None:
    """Every refusal is one line of JSON; internal errors are logged and never sent."""

    @app.exception_handler(XetrievalError)
    def refused(request: Request, error: Exception) -> Response:
        status = 404 if isinstance(error, NotFound) else 400
        return JSONResponse({"error": plain(str(error), service.indexes, asked_words(request.scope))}, status)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part)[:60] for part in first["loc"][1:])
        return JSONResponse({"error": f"{where or 'the request'}: {first['msg'][:300]}"}, 422)

    @app.exception_handler(HTTPException)
    def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    def inside(request: Request, error: Exception) -> Response:
        trace = traceback.format_exception(error)
        LOG.error(json.dumps({"path": request.url.path, "error": type(error).__name__, "trace": trace}))
        return JSONResponse({"error": "something went wrong inside; the server's log has it"}, 500)
