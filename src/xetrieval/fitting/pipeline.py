"""The four stages of a fit. OUTPUT.work keeps the result of each, named by a hash of everything it depends on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..configs import FitConfig
from ..data import Document, Skipped, read_corpora
from ..encoders import (
    CachedEncoder,
    Encoder,
    PrecomputedEncoder,
    TextFunction,
    open_encoder,
    precision_of,
    probe_facts,
)
from ..errors import InputError
from ..explain import Explainer, load
from ..features import Feature
from ..files import Work, digest_of, path_of, stamp_of
from ..options import check
from ..progress import Progress, silent
from ..sae import SparseAutoencoder, read_sae, write_sae
from ..sae.stack import Stack
from ..sae.train import SaeConfig, train_sae
from ..sae.train.config import check_device
from ..teachers import TeacherPair, read_spec, read_teacher
from .internalizers import learn
from .labelling import LabelledTexts, label_features
from .metrics import card_metrics, held_out_rows
from .reasoned import reasoned_rows
from .sample import sampled
from .texts import TrainingTexts, encode_training, training_texts

DRAFT: Final = "explainer"  # the explainer with half-precision weights, not yet measured
WORK: Final = ("views-*.npy", "views-*.partial", "sae-*.safetensors", "sae-*.pt", DRAFT)


def fit(
    corpora: Sequence[str | Path],
    encoder: str | Path | Encoder | TextFunction,
    teachers: Sequence[str],
    output: str | Path,
    config: FitConfig | None = None,
    progress: Progress = silent,
    skipped: Skipped | None = None,
) -> Explainer:
    """Fit an explainer for `encoder` on `corpora`, write it to `output`, and load it from there.

    An interrupted fit resumes when it is called again with the same arguments.

    Args:
        encoder: an encoder, or what `open_encoder` takes. Vectors of a function without a name and a version are not
            cached, and no later process can use its explainer.
        teachers: see `teachers.read_teacher`; without any, the explainer has only the original view.
        skipped: collects what cannot be used.
    Raises:
        InputError: `output` exists already, or a corpus or teacher cannot be used.
    """
    config, output = config or FitConfig(), path_of(output)
    _check(corpora, teachers, config)
    encoder = open_encoder(encoder)
    with Work(output, "fit", _job(corpora, encoder, teachers, config), WORK) as work:
        if work.published:
            return _published(output, encoder)
        documents, lessons = _read(corpora, teachers, encoder, skipped)
        reader = _reader(encoder, config.cache, progress)
        per_document = 0 if isinstance(encoder, PrecomputedEncoder) else config.sentences_per_document
        texts = training_texts(documents, per_document)
        vectors, read = _encoded(reader, texts, progress)
        made = digest_of([_known_as(encoder), digest_of(texts.texts), digest_of([list(p) for p in lessons])])
        internalizers, learned = learn(lessons, reader, config.internalizer, progress)
        made = digest_of([made, config.internalizer.to_dict(), config.held_out])
        held = held_out_rows(texts.owner, texts.documents, config)
        views = reasoned_rows(vectors, internalizers, work.folder / f"views-{made[:16]}.npy", progress)
        used = np.flatnonzero(~held)
        training = config.training(len(used), len(used) * views.shape[1])
        sae = _train(views, used, training, work.folder, digest_of([made, training.to_dict()]), progress)
        explainer = Explainer(
            name=config.name or Path(os.path.realpath(output)).name,
            encoder_identity=encoder.identity,
            sae=sae,
            internalizers=internalizers,
            features=_label(sae, vectors, texts, reader, config, progress),
            provenance={
                **_sources(corpora, documents, teachers, encoder),
                **read,
                "lessons": len(lessons),
                "notes": config.notes,
                "config": {**config.to_dict(), "sae": training.to_dict()},
            },
        )
        explainer.save(work.folder / DRAFT, overwrite=True)
        stored = load(work.folder / DRAFT)  # with half-precision weights, because these are the ones used later
        metrics = {"internalizers": learned, **card_metrics(stored.sae, views, held if held.any() else ~held)}
        work.publishing()
        replace(stored, metrics=metrics).save(output)
    return _published(output, encoder)


def _read(
    corpora: Sequence[str | Path], teachers: Sequence[str], encoder: Encoder, skipped: Skipped | None
) -> tuple[list[Document], list[TeacherPair]]:
    documents = read_corpora((path_of(corpus) for corpus in corpora), skipped)
    lessons = [pair for teacher in teachers for pair in read_teacher(teacher, documents, skipped)]
    if lessons and isinstance(encoder, PrecomputedEncoder):
        raise InputError("existing vectors cannot include those of teacher texts; leave out --teacher")
    return documents, lessons


def _sources(
    corpora: Sequence[str | Path], documents: Sequence[Document], teachers: Sequence[str], encoder: Encoder
) -> dict[str, object]:
    return {
        "corpora": [Path(corpus).name for corpus in corpora],
        "documents": len(documents),
        "documents_sha256": digest_of([document.text for document in documents]),
        "teachers": [t if t.startswith("field:") else Path(t).name for t in teachers],
        **probe_facts(encoder),
    }


def _encoded(reader: Encoder, texts: TrainingTexts, progress: Progress) -> tuple[Float32, dict[str, int]]:
    """The vectors to train on, and how much of the documents the encoder could read."""
    vectors, counts = encode_training(reader, texts)
    longer = int((counts.unread > 0).sum())
    progress("encode", len(texts.texts), len(texts.texts), f"{longer} documents are longer than the encoder reads")
    return vectors, {
        "documents_longer_than_the_encoder_reads": longer,
        "tokens_not_read": int(counts.unread.sum()),
        "documents_mostly_unknown_to_the_encoder": int(counts.unreadable.sum()),
        "sentences": len(texts.texts) - texts.documents,
    }


def texts_of_fit(
    corpora: Sequence[str | Path], teachers: Sequence[str], config: FitConfig, skipped: Skipped
) -> Iterator[str]:
    """The texts that a fit will encode: documents, sentences from them, and the teachers' texts."""
    documents = read_corpora(map(path_of, corpora), skipped)
    yield from training_texts(documents, config.sentences_per_document).texts
    for teacher in teachers:
        for pair in read_teacher(teacher, documents, skipped):
            yield from (pair.source, pair.target)


def _label(
    sae: SparseAutoencoder,
    vectors: Float32,
    texts: TrainingTexts,
    reader: Encoder,
    config: FitConfig,
    progress: Progress,
) -> tuple[Feature, ...]:
    progress("label", 0, sae.features, "")
    labelled = LabelledTexts(texts.texts.__getitem__, texts.ids.__getitem__, texts.owner)
    some = label_features(sae, Stack([vectors]), labelled, reader, config.label_examples)
    progress("label", sae.features, sae.features, f"{sum(one.label is not None for one in some)} named")
    return some


def _check(corpora: Sequence[str | Path], teachers: Sequence[str], config: FitConfig) -> None:
    for what, several in (("corpora", corpora), ("teachers", teachers)):
        if isinstance(several, str | Path):
            raise InputError(f"fit: {what} is one {type(several).__name__}, not a list; write [{str(several)!r}]")
    called = {"form": f"form {config.form}", "teacher": "a teacher"}
    check_device(config.training(1000).device)
    check("fit", {"form": config.form != FitConfig.form, "teacher": teachers}, called)


def _job(corpora: Sequence[str | Path], encoder: Encoder, teachers: Sequence[str], config: FitConfig) -> str:
    """What identifies a fit, so that the same command on the same files resumes it."""
    read = [[os.path.realpath(path), stamp_of(path)] for path in map(path_of, corpora)]
    taught = [[teacher, stamp_of(path_of(read_spec(teacher).source))] for teacher in teachers]
    return digest_of([read, _known_as(encoder), taught, config.to_dict(), config.name, config.notes])


def _known_as(encoder: Encoder) -> list[str]:
    return [encoder.identity.digest, precision_of(encoder)]


def _published(output: Path, encoder: Encoder) -> Explainer:
    return load(output) if isinstance(encoder, PrecomputedEncoder) else load(output, encoder=encoder)


def _reader(encoder: Encoder, cache: Path | None, progress: Progress) -> Encoder:
    if isinstance(encoder, PrecomputedEncoder | CachedEncoder):
        return encoder
    return CachedEncoder(encoder, cache, progress)


def _train(
    views: Any, used: NDArray[np.int64], config: SaeConfig, work: Path, made: str, progress: Progress
) -> SparseAutoencoder:
    """Train on some rows [used, views, m], or on a sample if there are very many."""
    done = work / f"sae-{made[:16]}.safetensors"
    n, width, m = views.shape
    if not done.is_file():
        rows = sampled((used[:, None] * width + np.arange(width)).reshape(-1), config.seed)
        checkpoint = work / f"sae-{made[:16]}.checkpoint.pt"
        trained = train_sae(
            views.reshape(n * width, m),
            config,
            lambda step: progress("train", step.step, step.steps, step.note),
            rows=rows,
            checkpoint=checkpoint,
        )
        write_sae(trained, done)
    return read_sae(done)
