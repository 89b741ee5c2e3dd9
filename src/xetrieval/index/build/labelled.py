"""Labels of an index's explainer: changing them is a change of the index, so readers notice it and `verify` agrees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InputError
from ...explain import Explainer
from ...explain.folder import write_explainer
from ...files import digest_of, sha256_of_file
from ...labels.relabel import Writing
from ..store.manifest import read_index_manifest
from ..store.ours import abandon_rewrite, check_finished, own_files, writing
from .pipeline import write_manifest_with


@dataclass(frozen=True)
class IndexTarget:
    """The explainer of an index, whose labels change in place."""

    folder: Path

    def check(self) -> None:
        """Refuse a folder without an index, or with an unfinished build.

        Raises:
            InputError, DamagedError: it is one.
        """
        read_index_manifest(self.folder)
        check_finished(self.folder)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Lock the index. If the process is killed, repeating the change completes it.

        Raises:
            InputError: an unfinished build, another process writes the index, or the weights changed.
        """
        read_index_manifest(self.folder)
        with writing(self.folder):
            manifest = read_index_manifest(self.folder)
            abandon_rewrite(self.folder, manifest)
            check_finished(self.folder)
            place = self.folder / manifest.explainer_folder

            def write(explainer: Explainer, history: str) -> None:
                if explainer.digest != manifest.explainer_digest:
                    raise InputError(f"{place}: other weights than those that made the index; restore it")
                write_explainer(explainer, place, overwrite=True, part=True, history=history)
                files = {name: sha256_of_file(place / name) for name in own_files(place)}
                job = digest_of([manifest.job, files])
                changed = replace(manifest, generation=manifest.generation + 1, job=job, explainer_files=files)
                write_manifest_with(self.folder, changed, manifest.deleted(self.folder))

            yield Writing(place, write)
