"""Removal by projection: removes a set of features from every document, partly or completely, or adds to them.

    z' = z - W_S D M W_S^T (z - b)      D = diag(1 - alpha),  M = (W_S^T W_S + lambda I)^-1

S and alpha are the same for every document, so the edit is one linear map. With beta = M W_S^T (z - b), a score changes
by - sum_j (1 - alpha_j) beta_j <q, w_j>. beta is the projection on S alone, so beta_j <q, w_j> is not
the share of j in an explanation, which projects on other features too.

Query form. <q, W_S D M W_S^T (z - b)> = <W_S M D W_S^T q, z - b>, because D and M are symmetric, so

    <q, z'> = <q', z> + <W_S M D W_S^T q, b>,      q' = q - W_S M D W_S^T q

The last term is the same for every document: q' ranks documents as the edit does, in any vector store. In q', M and D
have the opposite order; they only commute if all alpha are equal.

z' is not normalised; otherwise a score could rise although a positive contribution is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from ..arrays import Float32, Float64, IntArray, l2norm
from ..errors import DamagedError, InputError
from ..features import check_feature_ids
from ..files import read_arrays, write_arrays
from ..sae import SparseAutoencoder
from ..sae.projection import RIDGE
from .profile import SteeringProfile

ARRAYS: Final = {"ids": "<i4", "directions": "<f4", "decoder_bias": "<f4"}
NOTHING_LEFT: Final = 1e-3  # length below which a vector without the features is refused


class Removal(NamedTuple):
    """The edit of one set of features S and their factors. Rows of `directions` are the columns of W_S."""

    ids: IntArray  # [t], ascending; factors of 1 are left out
    directions: Float64  # [t, m]
    inner: Float64  # [t, t], M D
    decoder_bias: Float64  # [m]

    @classmethod
    def of(cls, sae: SparseAutoencoder, factors: Mapping[int, float]) -> Removal:
        """The removal of {feature: alpha}.

        Raises:
            InputError: the autoencoder lacks one of the features.
        """
        check_feature_ids(factors, sae.features)
        ids = np.array(sorted(feature for feature, factor in factors.items() if factor != 1), np.int32)
        less = np.array([1 - factors[int(feature)] for feature in ids], np.float64)
        return cls._made(ids, sae.directions[ids], less, sae.decoder_bias)

    @classmethod
    def _made(cls, ids: IntArray, directions: Float32, less: Float64, bias: Float32) -> Removal:
        W = directions.astype(np.float64)
        inner = np.linalg.solve(W @ W.T + RIDGE * np.eye(len(ids)), np.diag(less))
        return cls(ids, W, np.asarray(inner, np.float64), bias.astype(np.float64))

    def taken(self, z: Float32 | Float64) -> Float64:
        """(1 - alpha_j) beta_j of every document, [n, t]."""
        return np.asarray(((z - self.decoder_bias) @ self.directions.T) @ self.inner)

    def edit(self, z: Float32 | Float64) -> Float64:
        """z' of every document [n, m]."""
        return np.asarray(z - self.taken(z) @ self.directions)

    def unit(self, z: Float32) -> Float32:
        """z' of every document, brought to length 1.

        Raises:
            InputError: nothing is left of one of them.
        """
        edited = self.edit(z)
        if len(empty := np.flatnonzero(np.linalg.norm(edited, axis=1) < NOTHING_LEFT)):
            raise InputError(f"nothing is left of vector {empty[0] + 1} without these features; remove fewer")
        return np.asarray(l2norm(edited), np.float32)

    @property
    def digest(self) -> str:
        """A hash of what is stored."""
        parts = [np.ascontiguousarray(getattr(self, name), np.dtype(kind)) for name, kind in ARRAYS.items()]
        return sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

    def changes(self, q: Float32 | Float64, z: Float32 | Float64) -> Float64:
        """How much each feature changes <q, z>, [n, t]; the sum is <q, z'> - <q, z>. q is [m], z is [n, m]."""
        return -self.taken(z) * (self.directions @ q.astype(np.float64))

    def query(self, q: Float32 | Float64) -> Float64:
        """q' of every query [Q, m], or of one [m]."""
        return np.asarray(q - self._turned(q))

    def constant(self, q: Float32 | Float64) -> Float64:
        """<q, z'> - <q', z>, the same for every document, [Q]."""
        return np.asarray(self._turned(q) @ self.decoder_bias)

    def _turned(self, q: Float32 | Float64) -> Float64:
        """W_S M D W_S^T q."""
        return np.asarray(((q.astype(np.float64) @ self.directions.T) @ self.inner.T) @ self.directions)


def write_removal(removal: Removal, path: Path) -> None:
    """Write the removal of whole features."""
    write_arrays(path, {name: getattr(removal, name).astype(kind) for name, kind in ARRAYS.items()})


def read_removal(path: Path) -> Removal:
    """Read what `write_removal` wrote.

    Raises:
        DamagedError: an array is missing, has the wrong shape, or contains NaN.
    """
    arrays = read_arrays(path)
    try:
        ids, directions, bias = (arrays[name].astype(kind) for name, kind in ARRAYS.items())
    except KeyError as error:
        raise DamagedError(f"{path}: {error} is missing; restore it") from error
    if directions.shape != (len(ids), len(bias)) or not np.isfinite(directions).all() or not np.isfinite(bias).all():
        raise DamagedError(f"{path}: not directions of {len(ids)} features; restore it")
    return Removal._made(ids, directions, np.ones(len(ids)), bias)


def steer_query(sae: SparseAutoencoder, q: Float32, profile: SteeringProfile) -> Float32:
    """q' of every query [Q, m] in the profile's scope, others unchanged. Not unit vectors: their length matters
    where a store returns inner products, and has no effect on a ranking.

    Raises:
        InputError: a profile of the kind scale, which edits each document in its own way, or one that changes only some
            documents: they have no query form.
        MismatchError: it belongs to a different autoencoder.
    """
    if not isinstance(profile, SteeringProfile):
        raise InputError(f"give a SteeringProfile, not a {type(profile).__name__}")
    profile.check(sae)
    if profile.kind != "project":
        raise InputError("only profiles of the kind project have a query form; this one is of the kind scale")
    if profile.scope.filters:
        raise InputError("a profile that changes only some documents has no query form; use it with search")
    turned = Removal.of(sae, profile.factors).query(q)
    inside = [profile.scope.has(one) for one in q]
    return np.where(np.array(inside)[:, None], turned, q).astype(np.float32)
