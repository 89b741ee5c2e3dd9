"""Takes features out of all vectors of an index, in one pass over the stored vectors; the result is a new index.

A stored vector becomes l2norm(z - P_S(z - b)) (`steer.removal`). The features S are retired from the dictionary, so
they are in no document's and no query's support, and all codes are made again from the new vectors. The new index's
explainer has the edit, and its encoder applies it to every document that is encoded later.

The first index does not change. A killed run is resumed by the same command.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from ...explain import Explainer, load
from ...explain.explainer import REMOVED_LABELS
from ...explain.folder import write_explainer
from ...features import RETIRED, Feature, LabelledFeature
from ...files import digest_of, path_of
from ...files.kind import NAME as CONFIG
from ...files.kind import check_outside_indexes
from ...labels.relabel import history_of
from ...progress import Progress, silent
from ...steer import ALL_QUERIES, Removal, SteeringProfile
from ..store.layout import BUILDING, EXPLAINER, SENTENCES, TYPES, map_array
from ..store.manifest import Manifest, read_index_manifest
from ..store.ours import begin_building, end_building, is_job, is_rewrite, remove_unfinished, writing
from ..store.reader import IndexReader
from .corpus import Corpus
from .pipeline import VECTOR_BLOCK, stored_explainer, write_manifest_with
from .shards import ShardMaker


class Removed(NamedTuple):
    """The outcome of a removal."""

    features: tuple[LabelledFeature, ...]
    documents: int


def remove_features(
    folder: str | Path, profile: SteeringProfile, output: str | Path, progress: Progress = silent
) -> Removed:
    """Write an index without some features to the new folder `output`. No text is encoded.

    Args:
        profile: of the kind project, for all queries and documents, with factors of 0.
    Raises:
        InputError: a profile of another kind, an index with removed features, a folder that is not empty, another
            process that writes there, or a document of which nothing would be left.
        MismatchError: the profile belongs to a different autoencoder.
    """
    index, output = IndexReader.open(folder), path_of(output)
    check_outside_indexes(output)
    explainer = explainer_without(index.explainer, profile)
    if not len(index):
        raise InputError(f"{folder}: every document in it was deleted; there is nothing to remove features from")
    job = digest_of([index.manifest.job, index.manifest.generation, explainer.digest, "remove"])
    with writing(output):
        if (output / CONFIG).is_file():
            manifest = read_index_manifest(output)
            if manifest.job != job:
                raise InputError(f"{output} already contains an index; choose another folder")
        else:
            manifest = _remove(index, explainer, output, job, progress)
        end_building(output)
    return Removed(explainer.removed, manifest.alive)


def explainer_without(explainer: Explainer, profile: SteeringProfile) -> Explainer:
    """The explainer of the new index, whose documents lack the profile's features.

    Raises:
        InputError: the profile does not remove whole features from all documents, or some were removed before.
        MismatchError: it belongs to a different autoencoder.
    """
    if not isinstance(profile, SteeringProfile):
        raise InputError(f"give a SteeringProfile, not a {type(profile).__name__}")
    if explainer.removal is not None:
        before = ", ".join(f"#{one.feature_id}" for one in explainer.removed)
        raise InputError(f"features were removed from this index before ({before}); remove all from the original index")
    profile.check(explainer.sae)
    if not profile.factors:
        raise InputError("the profile has no features; give those to remove")
    if profile.kind != "project" or any(profile.factors.values()):
        raise InputError("give a profile of the kind project with factors of 0: stored vectors lose whole features")
    if profile.scope != ALL_QUERIES:
        raise InputError(f"the profile is only for {profile.scope}; stored vectors change for all queries")
    removal = Removal.of(explainer.sae, profile.factors)
    ids, features, sae = removal.ids, list(explainer.features), explainer.sae
    weight, bias = sae.encoder_weight.copy(), sae.encoder_bias.copy()
    weight[ids], bias[ids] = 0, 0
    if not weight.any():
        raise InputError("these are all features of the dictionary; nothing would be left to explain with")
    labels = {str(j): features[j].label for j in ids.tolist() if features[j].label}
    for j in ids.tolist():
        features[j] = Feature(j, None, None, 0.0, flags=(RETIRED,))
    earlier = [*explainer.earlier, sae.digest]
    return replace(
        explainer,
        sae=replace(sae, encoder_weight=weight, encoder_bias=bias),
        features=tuple(features),
        families=(),
        metrics={key: value for key, value in explainer.metrics.items() if key != "pairs"},  # measured before
        provenance={**explainer.provenance, "earlier": earlier, REMOVED_LABELS: labels},
        removal=removal,
    )


def _remove(index: IndexReader, explainer: Explainer, output: Path, job: str, progress: Progress) -> Manifest:
    manifest, target = index.manifest, output / EXPLAINER
    if is_job(output / BUILDING) and not is_rewrite(output / BUILDING):
        raise InputError(f"{output} contains an unfinished build; finish it, or choose another folder")
    if not is_rewrite(output / BUILDING, job):
        remove_unfinished(output, None)
        begin_building(output, {"rewrite": job})
    old = index.folder / manifest.explainer_folder
    write_explainer(explainer, target, overwrite=target.exists(), part=True, history=history_of(old))
    _edit_sentences(old, target, explainer)
    explainer = load(target, cache=explainer.cache)
    maker = ShardMaker(Corpus(()), explainer, output, VECTOR_BLOCK, "code")
    shards = maker.code_again(index.shards, 0, progress, words=True, edit=explainer.edited)
    made = replace(manifest, generation=1, job=job, explainer=stored_explainer(explainer, target), shards=shards)
    return write_manifest_with(output, made, index.deleted)


def _edit_sentences(old: Path, target: Path, explainer: Explainer) -> None:
    """The vectors of sentences, from which features can be learned again, without the removed ones."""
    vectors, numbers = SENTENCES
    if (old / vectors).is_file() and (old / numbers).is_file():
        z = np.array(map_array(old / vectors, explainer.sae.dimension)).reshape(-1, explainer.sae.dimension)
        (target / vectors).write_bytes(np.ascontiguousarray(explainer.edited(z), TYPES["f32"]).tobytes())
        (target / numbers).write_bytes((old / numbers).read_bytes())
