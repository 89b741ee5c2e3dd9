"""The OpenAPI schema as JSON, for code generators: python -m xetrieval.serve.schema"""

from __future__ import annotations

import json
import sys

from fastapi import FastAPI

from ..explain import load
from .app import create_app


def schema() -> str:
    """The OpenAPI schema with sorted keys, so that the same API gives the same bytes."""
    app = create_app({}, load("minilm")).app
    assert isinstance(app, FastAPI)
    return json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
