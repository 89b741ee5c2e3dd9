"""A steering profile changes documents, feature by feature. Scores follow from what an index stores.

Kind "project" edits every document by one linear map; see `removal`. Kind "scale" scales the activations of the
documents that have a feature:

    z' = l2norm(z + e),  e = sum_j (alpha_j - 1) c_j w_j    c: the document's code in its original view, as stored

    <q, z'> = (<q,z> + sum_j (alpha_j - 1) c_j <q,w_j>) / sqrt(||z||^2 + 2 <z,e> + ||e||^2)

The remainder of z is unchanged, no features are selected again and no text is encoded. The result equals that of
editing the vectors.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, IntArray, l2norm
from ..configs.evaluate import Kind
from ..configs.option import LARGEST_FACTOR
from ..errors import InputError, LostFeaturesWarning, MismatchError
from ..features import LabelledFeature, SteeredFeature, check_feature_ids
from ..files import check_file, is_whole, parse_json, path_of, read_bytes, write_text
from ..records import read_record
from ..sae import SparseAutoencoder, SparseCodes
from ..text import clip, printable

NUMBER: Final = re.compile(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf)", re.ASCII | re.IGNORECASE
)

NUMBERS: Final = re.compile(r"\[\n[-+.,eE\d\s]+\]")  # a list of numbers, which is written on one line


class ExampleQuery(NamedTuple):
    """A query that a profile is for. Its vector is stored, so that no text has to be encoded again."""

    text: str
    vector: tuple[float, ...]


class Scope(NamedTuple):
    """The queries that a profile applies to: all, or those with a cosine of at least `cosine` with an example.

    `filters` are conditions on metadata that the documents it changes must meet, such as "year>=2020".
    """

    examples: tuple[ExampleQuery, ...] = ()
    cosine: float = 0.0
    filters: tuple[str, ...] = ()

    def has(self, q: Float32) -> bool:
        """Whether a query's vector [m] is in this scope."""
        if not self.examples:
            return True
        return float((np.array([one.vector for one in self.examples]) @ q).max()) >= self.cosine

    def __str__(self) -> str:
        only = f", documents with {' and '.join(map(printable, self.filters))}" if self.filters else ""
        if not self.examples:
            return f"all queries{only}"
        some = ", ".join(f"“{clip(printable(one.text) or 'a vector', 60)}”" for one in self.examples[:3])
        more = f" and {len(self.examples) - 3} more" if len(self.examples) > 3 else ""
        return f"queries with a cosine of {self.cosine:.2f} or more to {some}{more}{only}"


ALL_QUERIES: Final = Scope()


@dataclass(frozen=True)
class SteeringProfile:
    """{feature: factor}. A factor of 1 changes nothing, 0 removes the feature, 2 doubles it; the maximum is 100.

    Raises:
        InputError: a feature that is not a whole number, or a factor outside 0 to 100.
    """

    factors: Mapping[int, float]
    sae_digest: str  # digest of the autoencoder whose features these are
    provenance: str = ""
    note: str = ""
    kind: Kind = "scale"
    scope: Scope = ALL_QUERIES
    date: str = field(default="", compare=False)  # when it was saved

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", check_factors(self.factors))
        for name in ("sae_digest", "provenance", "note", "date"):
            value = getattr(self, name)
            if not isinstance(value, str) or not is_whole(value):
                raise InputError(f"{name} of a steering profile: give text, not {clip(repr(value), 40)}")
        if self.kind not in get_args(Kind):
            raise InputError(f"kind of a steering profile: give scale or project, not {clip(repr(self.kind), 40)}")
        if not isinstance(self.scope, Scope):
            raise InputError(f"scope of a steering profile: give a Scope, not {clip(repr(self.scope), 40)}")
        if self.scope.cosine and not self.scope.examples:
            raise InputError("scope of a steering profile: cosine needs examples, the queries to compare with")

    def __repr__(self) -> str:
        some = ", ".join(f"{feature}: {factor:g}" for feature, factor in sorted(self.factors.items())[:5])
        return f"SteeringProfile({len(self.factors)} factors: {{{some}{', …' if len(self.factors) > 5 else ''}}})"

    def check(self, sae: SparseAutoencoder) -> None:
        """Refuse a profile that does not belong to `sae`.

        Raises:
            MismatchError: it was made for a different autoencoder. InputError: `sae` lacks one of its features.
        """
        if not isinstance(sae, SparseAutoencoder):
            raise InputError(f"a profile is checked against a SparseAutoencoder, not a {type(sae).__name__}")
        if self.sae_digest != sae.digest:
            raise MismatchError(
                f"the steering profile belongs to the autoencoder {self.sae_digest}, not to {sae.digest}"
            )
        check_feature_ids(self.factors, sae.features)
        if lost := sorted(feature for feature in self.factors if sae.retired[feature]):
            raise InputError(
                f"feature {lost[0]} was removed, or lost when the dictionary was retrained: "
                "factors have no effect on it"
            )

    def named(self, features: Sequence[LabelledFeature]) -> tuple[SteeredFeature, ...]:
        """Its features with their labels, ascending."""
        return tuple(SteeredFeature(j, features[j].label, factor) for j, factor in sorted(self.factors.items()))

    def with_factors(self, given: Sequence[str], features: Sequence[LabelledFeature]) -> SteeringProfile:
        """This profile with FEATURE=FACTOR strings added, which override its own factors.

        Args:
            features: all features; FEATURE is a number, with or without #, or a label that only one of them has.
        Raises:
            InputError: not of this form, an unknown feature, an invalid factor, or a duplicate feature.
        """
        put: dict[int, float] = {}
        for text in given:
            key, sign, value = text.rpartition("=")
            if not (sign and NUMBER.fullmatch(value)):
                raise InputError(f"{clip(text, 80)!r}: give FEATURE=FACTOR, e.g. 614=0.5")
            feature = _named_feature(repr(clip(text, 80)), key, features)
            factor = _factor(text, key, float(value))
            if put.get(feature) == factor:
                raise InputError(f"feature {feature} is named twice; name it once")
            if feature in put:
                raise InputError(f"{clip(text, 80)!r}: feature {feature} has two factors; give one")
            put[feature] = factor
        return replace(self, factors={**self.factors, **put})

    def merged(self, other: SteeringProfile) -> SteeringProfile:
        """Both profiles in one.

        Raises:
            MismatchError: they belong to different autoencoders. InputError: their kinds, their scopes or two of their
                factors differ.
        """
        if not isinstance(other, SteeringProfile):
            raise InputError(f"give a SteeringProfile to merge, not a {type(other).__name__}")
        if self.sae_digest != other.sae_digest:
            raise MismatchError(
                f"the profiles belong to different autoencoders, {self.sae_digest} and {other.sae_digest}"
            )
        if self.kind != other.kind:
            raise InputError(f"one profile is of the kind {self.kind}, the other {other.kind}; they cannot be merged")
        if self.scope != other.scope:
            raise InputError(f"one profile is for {self.scope}, the other for {other.scope}; they cannot be merged")
        for feature in sorted(self.factors.keys() & other.factors.keys()):
            if self.factors[feature] != other.factors[feature]:
                factors = f"{self.factors[feature]:g} and {other.factors[feature]:g}"
                raise InputError(f"feature {feature} has the factors {factors}; remove it from one of the profiles")
        source, note = (
            "; ".join(filter(None, dict.fromkeys(texts)))
            for texts in ((self.provenance, other.provenance), (self.note, other.note))
        )
        return replace(self, factors={**self.factors, **other.factors}, provenance=source, note=note, date="")

    def to_dict(self) -> dict[str, Any]:
        """As in the JSON file."""
        factors = {str(feature): factor for feature, factor in sorted(self.factors.items())}
        scope = self.scope._asdict() | {"examples": [one._asdict() for one in self.scope.examples]}
        record = {**asdict(self), "factors": factors, "scope": scope}
        return record if self.scope != ALL_QUERIES else {name: part for name, part in record.items() if name != "scope"}

    def save(self, path: str | Path) -> None:
        """Write this profile as JSON, with today's date, completely or not at all."""
        path = path_of(path)
        check_file(path)
        record = self.to_dict() | {"date": date.today().isoformat()}
        text = json.dumps(record, ensure_ascii=False, indent=1)
        write_text(path, NUMBERS.sub(lambda found: " ".join(found[0].split()), text) + "\n")

    @classmethod
    def load(
        cls,
        path: str | Path,
        sae: SparseAutoencoder,
        earlier: Collection[str] = (),
        features: Sequence[LabelledFeature] = (),
    ) -> SteeringProfile:
        """Read a profile for `sae` that `save` or a person wrote.

        Args:
            features: all features; then a key may also be a label that only one of them has.
            earlier: digests of earlier versions whose feature ids `sae` kept (`Explainer.earlier`). Features that were
                lost since are left out, with a LostFeaturesWarning.
        Raises:
            InputError: there is no such file, it is not JSON, or a field has the wrong type.
            MismatchError: it was made for a different autoencoder.
        """
        path = path_of(path)
        try:
            content = read_bytes(path)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error
        try:
            record = parse_json(content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        if not isinstance(record, dict) or not isinstance(record.get("factors"), dict):
            raise InputError(f'{path}: give {{"factors": {{"FEATURE": FACTOR}}, "sae_digest": DIGEST}}')
        known = [one.name for one in fields(cls)]
        if unknown := sorted(record.keys() - {*known}):
            raise InputError(f"{path}: unknown field {clip(unknown[0], 40)!r}; a profile has {', '.join(known)}")
        if record.get("sae_digest") not in (sae.digest, *earlier):
            made_for = record.get("sae_digest")
            raise MismatchError(f"{path}: made for autoencoder {made_for}, but this one is {sae.digest}")
        factors: dict[int, float] = {}
        known_features = features or [LabelledFeature(j, None) for j in range(sae.features)]
        for key, value in record["factors"].items():
            feature = _named_feature(str(path), key, known_features)
            if feature in factors:
                raise InputError(f"{path}: factors: {clip(key, 40)!r}: feature {feature} has two factors; give one")
            factors[feature] = _factor(path, key, value)
        if lost := sorted(feature for feature in factors if sae.retired[feature]):
            warnings.warn(
                f"{path}: features {', '.join(map(str, lost))} were removed, or lost when the dictionary was "
                "retrained; their factors have no effect",
                LostFeaturesWarning,
                stacklevel=2,
            )
            factors = {feature: factor for feature, factor in factors.items() if feature not in lost}
        try:
            source, note, saved = (record.get(name, "") for name in ("provenance", "note", "date"))
            scope = _scope(record.get("scope", {}), sae.dimension)
            return cls(factors, sae.digest, source, note, record.get("kind", "scale"), scope, saved)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def check_factors(factors: Mapping[int, float]) -> dict[int, float]:
    """`factors` as {feature: factor} of plain numbers.

    Raises:
        InputError: not a mapping, a feature that is not a whole number, or a factor outside 0 to 100.
    """
    if not isinstance(factors, Mapping):
        raise InputError(f"factors: give {{feature: factor}}, not a {type(factors).__name__}")
    checked: dict[int, float] = {}
    for feature, factor in factors.items():
        if isinstance(feature, bool) or not isinstance(feature, int | np.integer):
            raise InputError(f"factors: {clip(repr(feature), 40)} is not a feature number")
        if isinstance(factor, np.generic):
            factor = factor.item()
        checked[int(feature)] = _factor("", str(feature), factor)
    return checked


def steered_scores(
    sae: SparseAutoencoder, q: Float32, z: Float32, codes: SparseCodes, factors: Mapping[int, float]
) -> Float64:
    """<q, z'> for every query and document, [Q, n].

    Args:
        q: [Q, m], unit. z: [n, m], unit. codes: of z, n rows. factors: {feature: alpha}.
    Raises:
        MismatchError: not one code per document. InputError: an unknown feature, or a factor that is not a
            number from 0 to 100.
    """
    ids, change = _change(sae, len(z), codes, factors)
    scores = np.asarray(q.astype(np.float64) @ z.astype(np.float64).T)
    rows = np.flatnonzero(change.any(axis=1))
    if not len(rows):
        return scores
    W, moved, some = sae.directions[ids].astype(np.float64), change[rows], z[rows].astype(np.float64)
    norm2 = np.einsum("nm,nm->n", some, some) + 2 * np.einsum("nt,nt->n", moved, some @ W.T)
    norm2 += np.einsum("nt,nt->n", moved @ (W @ W.T), moved)
    scores[:, rows] = (scores[:, rows] + (q.astype(np.float64) @ W.T) @ moved.T) / np.sqrt(norm2)
    return scores


def steered_vectors(sae: SparseAutoencoder, z: Float32, codes: SparseCodes, factors: Mapping[int, float]) -> Float64:
    """z' of every document, [n, m], unit rows, for storing in an index."""
    ids, change = _change(sae, len(z), codes, factors)
    return l2norm(z.astype(np.float64) + change @ sae.directions[ids].astype(np.float64))


def _change(
    sae: SparseAutoencoder, documents: int, codes: SparseCodes, factors: Mapping[int, float]
) -> tuple[IntArray, Float64]:
    """The steered features [t], and (alpha_j - 1) c_j of each document [n, t]."""
    factors = check_factors(factors)
    if len(codes) != documents:
        raise MismatchError(f"{len(codes)} codes for {documents} documents; give one for each")
    check_feature_ids(factors, sae.features)
    ids = np.array(sorted(feature for feature, factor in factors.items() if factor != 1), np.int32)
    less_one = np.array([factors[int(feature)] - 1 for feature in ids], np.float64)
    place: NDArray[np.int64] = np.full(sae.features, -1, np.int64)
    place[ids] = np.arange(len(ids))
    row, slot = np.nonzero((place[codes.features] >= 0) & (codes.values > 0))
    change = np.zeros((documents, len(ids)))
    at = place[codes.features[row, slot]]
    change[row, at] = codes.values[row, slot] * less_one[at]
    return ids, change


def _scope(record: object, dimension: int) -> Scope:
    """The scope in a profile's JSON."""
    try:
        scope = read_record(Scope, record)
    except (TypeError, ValueError) as error:
        raise InputError(f"scope: {error}; a scope has {', '.join(Scope._fields)}") from error
    vectors = [one.vector for one in scope.examples]
    if any(len(vector) != dimension for vector in vectors):
        raise InputError(f"scope: a query's vector does not have {dimension} numbers")
    if any(max(map(abs, vector)) > 1.001 or abs(np.linalg.norm(vector) - 1) > 0.001 for vector in vectors):
        raise InputError("scope: a query's vector does not have length 1")
    if not -1 <= scope.cosine <= 1:
        raise InputError(f"scope: {scope.cosine:g} is not a cosine")
    return scope


def _named_feature(where: str, key: str, features: Sequence[LabelledFeature]) -> int:
    """The feature of a number, of a number after #, or of a label that only one feature has."""
    number = key.removeprefix("#")
    if re.fullmatch(r"0|[1-9][0-9]{0,8}", number, re.ASCII):  # each number has one spelling
        if int(number) < len(features):
            return int(number)
        raise InputError(f"{where}: factors: {clip(key, 40)!r} is not a feature; they are 0 to {len(features) - 1}")
    labels = {one.feature_id: one.label.casefold() for one in features if one.label is not None}
    named = [feature for feature, label in labels.items() if label == key.casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(f"#{feature}" for feature in named[:8])
        raise InputError(f"{where}: {len(named)} features have this label: {ids}; give one of these numbers")
    close = get_close_matches(key.casefold(), set(labels.values()), 3)
    near = [j for j, label in labels.items() if label in close or (key and key.casefold() in label)][:4]
    listed = ", ".join(f"{clip(printable(features[j].name), 40)} #{j}" for j in near)
    raise InputError(
        f"{where}: factors: {clip(key, 40)!r} is not a feature; "
        + (f"similar names: {listed}" if near else f"give a name, or a number from 0 to {len(features) - 1}")
    )


def _factor(path: Path | str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_FACTOR:
        where, found = f"{clip(str(path), 80)}: " if str(path) else "", clip(repr(value), 40)
        raise InputError(
            f"{where}factors: {clip(key, 40)}: {found} is not a factor; give a number from 0 to {LARGEST_FACTOR:g}"
        )
    return float(value)
