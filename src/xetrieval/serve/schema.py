"""The API's description as JSON, for generators: python -m xetrieval.serve.schema"""

from __future__ import annotations

import json
import sys

from ..explain import load
from .app import create_app


def schema() -> str:
    """OpenAPI, keys in order, so that the same API gives the same bytes."""
    description = create_app({}, load("minilm")).app.openapi()
    return json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
