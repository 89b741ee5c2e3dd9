"""Trains internalizers on the lessons of teachers: `xetrieval internalizer train` and the second stage of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Float32
from ..configs import InternalizerConfig
from ..encoders import Encoder, EncoderIdentity, read_texts
from ..errors import InputError, MismatchError
from ..files import check_new_folder
from ..internalizer import Internalizer, load_internalizers, save_internalizers
from ..internalizer.train import nearness, train_internalizer
from ..progress import Progress, silent
from ..teachers import TeacherPair
from ..views import View, in_order


class Lessons(NamedTuple):
    """The lessons of one aspect as vectors."""

    z: Float32  # [n, m], the documents
    target: Float32  # [n, m], the texts
    threads: list[str]
    weights: Float32  # [n]


class Learned(NamedTuple):
    """Internalizers, and their validation metrics by aspect."""

    internalizers: dict[View, Internalizer]
    metrics: dict[str, Any]


def lessons_of(pairs: Sequence[TeacherPair], aspect: View, encoder: Encoder) -> Lessons:
    """Encode the lessons of one aspect. Both source and target are encoded as documents, as in the paper."""
    chosen = [pair for pair in pairs if pair.aspect == aspect]
    return Lessons(
        read_texts(encoder, [pair.source for pair in chosen], "document").vectors,
        read_texts(encoder, [pair.target for pair in chosen], "document").vectors,
        [pair.thread for pair in chosen],
        np.array([pair.weight for pair in chosen], np.float32),
    )


def learn(
    pairs: Sequence[TeacherPair], encoder: Encoder, config: InternalizerConfig, progress: Progress = silent
) -> Learned:
    """One internalizer for each aspect that has lessons.

    Raises:
        InputError: all lessons belong to one thread.
    """
    aspects = in_order(pair.aspect for pair in pairs)
    learned = Learned({}, {})
    for aspect in aspects:
        lessons = lessons_of(pairs, aspect, encoder)
        fitted = train_internalizer(lessons.z, lessons.target, lessons.threads, config, lessons.weights)
        learned.internalizers[aspect] = fitted.internalizer
        learned.metrics[aspect] = {
            "pairs": len(lessons.z),
            "validation_pairs": fitted.validation_pairs,
            "validation_cosine": round(fitted.cosine, 4),
            "validation_cosine_doing_nothing": round(fitted.raw_cosine, 4),
            "epochs": fitted.epochs,
        }
        note = f"{aspect}: cosine to the teacher {fitted.raw_cosine:.3f} -> {fitted.cosine:.3f}, {len(lessons.z)} pairs"
        progress("internalize", len(learned.internalizers), len(aspects), note)
    return learned


def train_to_folder(
    pairs: Sequence[TeacherPair],
    encoder: Encoder,
    output: Path,
    config: InternalizerConfig,
    provenance: dict[str, Any],
    progress: Progress = silent,
) -> Learned:
    """Train internalizers and write OUTPUT.

    Raises:
        InputError: `output` exists already, or there are no lessons.
    """
    if not pairs:
        raise InputError("internalizer: no texts to learn from; give at least one teacher")
    check_new_folder(output)
    learned = learn(pairs, encoder, config, progress)
    facts = {**provenance, "lessons": len(pairs), "config": config.to_dict()}
    save_internalizers(learned.internalizers, output, encoder.identity.to_dict(), facts, learned.metrics)
    return learned


def open_internalizers(source: Path, encoder: Encoder) -> dict[View, Internalizer]:
    """The internalizers of a folder, for the encoder that they were trained with.

    Raises:
        MismatchError: it is a different encoder: weights, prompts or length limit differ.
    """
    folder = load_internalizers(source)
    own = EncoderIdentity.from_dict(folder.encoder)
    if differing := own.differences(encoder.identity):
        raise MismatchError(f"{source}: these internalizers belong to a different encoder ({differing})")
    return folder.internalizers


def report_on(
    internalizers: dict[View, Internalizer], pairs: Sequence[TeacherPair], encoder: Encoder
) -> list[dict[str, Any]]:
    """One record per aspect: how close the views are to the embeddings of the texts of these lessons.

    Raises:
        InputError: an internalizer's aspect has no lessons.
    """
    records = []
    for aspect, net in internalizers.items():
        if any(pair.aspect == aspect for pair in pairs):
            lessons = lessons_of(pairs, aspect, encoder)
            near = nearness(net, lessons.z, lessons.target)
            records.append(
                {
                    "aspect": aspect,
                    "pairs": len(lessons.z),
                    "cosine": round(near.cosine, 4),
                    "cosine_doing_nothing": round(near.raw_cosine, 4),
                    "recall_of_100": round(near.recall, 4),
                    "recall_of_100_doing_nothing": round(near.raw_recall, 4),
                }
            )
    if not records:
        raise InputError(f"these teachers have no texts for {', '.join(internalizers)}")
    return records
