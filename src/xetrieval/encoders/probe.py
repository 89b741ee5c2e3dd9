"""A fingerprint of an encoder whose weights cannot be seen, to notice later if its name refers to a different model."""

from __future__ import annotations

from typing import Any

from .base import Encoder
from .edited import innermost
from .endpoint import EndpointEncoder
from .function import FunctionEncoder
from .same import PROBE_FACT, fingerprint


def probe_facts(encoder: Encoder) -> dict[str, Any]:
    """The fingerprint of an endpoint or a function, as a fact of an explainer; nothing for other encoders."""
    inner = innermost(encoder)
    return {PROBE_FACT: fingerprint(inner.probe)} if isinstance(inner, EndpointEncoder | FunctionEncoder) else {}
