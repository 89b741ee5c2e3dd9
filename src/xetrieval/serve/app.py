"""The application: versioned routes under /v1, the page at /."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Final, get_type_hints

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import __version__
from ..errors import InputError, XetrievalError
from ..explain import Explainer
from ..files import cache_folder, parse_json
from ..index import Index
from ..records import record_of
from ..render.page import page
from . import schemas as s
from .address import LOOPBACK, check_prefix, host_names, place_of
from .limits import Gate, Limits, asked_words
from .messages import plain
from .models import model_of
from .service import NotFound, Service

PAGE: Final = Path(__file__).parent / "page"
LOG: Final = logging.getLogger("xetrieval.serve")


def create_app(
    indexes: Mapping[str, Index],
    explainer: Explainer,
    limits: Limits | None = None,
    hosts: frozenset[str] = LOOPBACK,
    token: str | None = None,
    profiles: Path | None = None,
    root_path: str = "",
) -> Gate:
    """The ASGI application. It may be mounted below a path of another application.

    Args:
        explainer: explains texts if there is no index.
        hosts: the host names that requests may use; empty: any.
        token: what every request must send; None: nothing.
        profiles: the folder of saved steering profiles; None: in the user's cache folder.
        root_path: the prefix of its paths behind a proxy, /NAME, whether or not the proxy removes it.
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
        docs_url=None,  # FastAPI's page would load scripts from a different site
        redoc_url=None,
    )
    app.router.route_class = _Route
    _routes(app, service)
    _problems(app, service)
    app.router.default = _page()
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    return Gate(app, limits, hosts, token, root_path)


class _Body(Request):
    """A request whose JSON is read strictly: duplicate names, for example, are errors."""

    async def json(self) -> object:
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
            kind = request.headers.get("content-type", "no content-type").partition(";")[0].strip().lower()
            if request.method == "POST" and not re.fullmatch(r"application/(.+\+)?json", kind):
                raise HTTPException(422, f"the request: {kind[:60]!r}; send JSON with content-type: application/json")
            if (packed := request.headers.get("content-encoding", "identity")) != "identity":
                raise HTTPException(422, f"the request: content-encoding {packed[:60]!r}; send it uncompressed")
            return await handle(_Body(request.scope, request.receive))

        return answer


def _either(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _routes(app: FastAPI, service: Service) -> None:
    """One route for each method of the service, with the types of that method."""
    for path, ask in (
        ("POST /v1/search", service.search),
        ("POST /v1/find", service.find),
        ("POST /v1/explain", service.explain),
        ("POST /v1/contrast", service.contrast),
        ("POST /v1/why", service.why),
        ("GET /v1/features", service.features),
        ("GET /v1/features/{feature_id}", service.feature),
        ("GET /v1/documents", service.document),
        ("GET /v1/about", service.about),
        ("GET /v1/report", service.report),
        ("POST /v1/steering/apply", service.apply),
        ("POST /v1/steering/push", service.push),
        ("POST /v1/steering/edit", service.edit),
        ("POST /v1/steering/suggest", service.suggest),
        ("GET /v1/steering/profiles", service.profiles),
        ("POST /v1/steering/profiles", service.keep),
        ("DELETE /v1/steering/profiles/{name}", service.discard),
    ):
        method, address = path.split()
        answer = model_of(get_type_hints(ask)["return"])
        app.api_route(address, methods=[method], response_model=answer, responses=s.Problem)(_as_json(ask))

    health = model_of(s.Health)
    app.get("/v1/health", response_model=health, responses={422: s.Problem[422]})(_as_json(service.health))

    @app.post("/v1/report.html", response_class=HTMLResponse, responses=s.Problem)
    def report_html(request: s.ExplainRequest) -> HTMLResponse:
        """One explanation as a self-contained page."""
        return HTMLResponse(page(service.explain(request), None))


def _as_json(ask: Callable[..., object]) -> Callable[..., JSONResponse]:
    """The library's answer as JSON; FastAPI documents its type but does not convert it."""

    @wraps(ask)
    def answer(*args: object, **kwargs: object) -> JSONResponse:
        return JSONResponse(record_of(ask(*args, **kwargs)))

    return answer


def _page() -> ASGIApp:
    """Serves the files of the page for all paths that are not below /v1."""
    files = StaticFiles(directory=PAGE, html=True) if PAGE.is_dir() else None

    async def found(scope: Scope, receive: Receive, send: Send) -> None:
        own = place_of(scope["path"], scope.get("root_path", "")).path
        if files is None or scope["type"] != "http" or f"{own}/".startswith("/v1/"):
            raise HTTPException(404)
        await files(scope, receive, send)

    return found


def _problems(app: FastAPI, service: Service) -> None:
    """Every error is sent as one line of JSON; internal errors are logged and not sent."""

    @app.exception_handler(XetrievalError)
    def refused(request: Request, error: Exception) -> Response:
        status = 404 if isinstance(error, NotFound) else 400
        return JSONResponse({"error": plain(str(error), service.indexes, asked_words(request.scope))}, status)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part)[:60] for part in first["loc"][1:])
        message = (
            f"{where}: {first['msg'].removeprefix('Value error, ')[:300]}"
            if where
            else "the request: send a JSON object"
        )
        return JSONResponse({"error": message}, 422)

    @app.exception_handler(HTTPException)
    def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    def inside(request: Request, error: Exception) -> Response:
        trace = traceback.format_exception(error)
        LOG.error(json.dumps({"path": request.url.path, "error": type(error).__name__, "trace": trace}))
        return JSONResponse({"error": "internal error; see the server's log"}, 500)
