"""Checks that an encoder is the one that an explainer was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encoders import Encoder, EncoderIdentity, EndpointEncoder, FunctionEncoder, PrecomputedEncoder, innermost
from ..encoders.same import PROBE_FACT, SAME_MODEL, fingerprint_cosine
from ..errors import MismatchError
from ..identity import FUNCTION

if TYPE_CHECKING:
    from .explainer import Explainer


def same_encoder(explainer: Explainer, encoder: Encoder) -> Encoder:
    """Return the encoder if it is the one that the explainer was made for.

    Raises:
        MismatchError: it is not.
    """
    own, other = explainer.encoder_identity, encoder.identity
    if isinstance(encoder, PrecomputedEncoder):
        raise MismatchError(
            f"{other.name}: a vector file cannot encode text; use explain_vectors, or --query-vectors and "
            "--document-vectors"
        )
    if own.is_function and own.digest != other.digest:
        raise MismatchError(f"explainer {explainer.name} {how_to_open(own)}")
    if different := own.differences(other):
        raise MismatchError(f"explainer {explainer.name} explains a different encoder from {other.name}: {different}")
    inner = innermost(encoder)
    if isinstance(inner, EndpointEncoder | FunctionEncoder) and PROBE_FACT in explainer.provenance:
        cosine = fingerprint_cosine(explainer.provenance[PROBE_FACT], inner.probe)
        if cosine is not None and cosine < SAME_MODEL:
            raise MismatchError(
                f"{other.name} gives different vectors from when explainer {explainer.name} was fitted (cosine "
                f"{cosine:.3f}): it is a different model or version; fit again"
            )
    return encoder


def how_to_open(own: EncoderIdentity) -> str:
    """What to do if an encoder is a function that cannot be opened here."""
    if not own.lasting:
        return (
            "was fitted with a function without name and version, so no function can be verified to be the same; "
            "explain vectors (explain_vectors), or fit again with open_encoder(function, name=..., version=...)"
        )
    name = own.name.removeprefix(FUNCTION)
    opened = f"open_encoder(function, name={name!r}, version={own.version!r})"
    return f"reads texts with a function of yours; give the very same one: load(..., encoder={opened})"
