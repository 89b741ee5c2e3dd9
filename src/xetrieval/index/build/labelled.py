"""Changes the labels of an index's explainer as a change of the index: readers notice it, and `verify` still passes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InputError
from ...explain import Explainer
from ...explain.folder import write_explainer
from ...files import digest_of, sha256_of_file
from ...labels.relabel import Writing
from ..store.layout import SENTENCES
from ..store.manifest import read_index_manifest
from ..store.ours import (
    abandon_rewrite,
    begin_building,
    check_finished,
    end_building,
    own_files,
    remove_unfinished,
    writing,
)
from .pipeline import write_manifest_with


@dataclass(frozen=True)
class IndexTarget:
    """The explainer of an index, to be replaced in one step by one with changed labels.

    The generation does not change, because counted words and searches do not depend on labels.
    """

    folder: Path

    def check(self) -> None:
        """Refuse a folder without an index, or with an unfinished build.

        Raises:
            InputError, DamagedError: the folder is refused.
        """
        read_index_manifest(self.folder)
        check_finished(self.folder)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Lock the index.

        Raises:
            InputError: an unfinished build, another process writes the index, or the weights changed.
        """
        read_index_manifest(self.folder)
        with writing(self.folder):
            manifest = read_index_manifest(self.folder)
            abandon_rewrite(self.folder, manifest)
            check_finished(self.folder)
            old, new = self.folder / manifest.explainer_folder, self.folder / manifest.next_explainer

            def write(explainer: Explainer, history: str) -> None:
                if explainer.digest != manifest.explainer.digest:
                    raise InputError(
                        f"{old}: these are not the weights the index was built with; restore the originals"
                    )
                begin_building(self.folder, {"rewrite": digest_of([manifest.job, new.name])})
                write_explainer(explainer, new, part=True, history=history)
                for name in SENTENCES:
                    if (old / name).is_file():
                        shutil.copyfile(old / name, new / name)
                files = {name: sha256_of_file(new / name) for name in own_files(new)}
                changed = replace(manifest, explainer=replace(manifest.explainer, files=files, folder=new.name))
                write_manifest_with(self.folder, changed, manifest.deleted_rows(self.folder))
                remove_unfinished(self.folder, changed)
                end_building(self.folder)

            yield Writing(old, write)
