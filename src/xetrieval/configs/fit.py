"""How an explainer is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ..errors import InputError
from ..records import Brief
from .internalizer import Form, InternalizerConfig
from .option import Checked, Option, Range, Seed
from .rule import sae_by_rule
from .sae import SaeConfig


@dataclass(frozen=True)
class FitConfig(Brief, Checked):
    """How an explainer is fitted.

    Args:
        sae: the full training configuration of the autoencoder, in place of features, l0, inference_l0, epochs and
            device.
        seed: seed of the training runs and of the choice of held-out documents; with `sae`, its seed makes that choice.
    """

    features: Annotated[int | None, Option("How many features; default: about one per eight vectors.", "-F")] = None
    l0: Annotated[
        int | None,
        Option("Active features per text (L0) in training; default: 8 for up to 128 features, otherwise 12."),
    ] = None
    inference_l0: Annotated[
        int | None,
        Option("Exact number of active features per text after training; by default it varies and is --l0 on average."),
    ] = None
    epochs: Annotated[int | None, Option("Passes over the vectors; default: enough for 600 steps of 256 vectors.")] = (
        None
    )
    sae: SaeConfig | None = None
    sentences_per_document: Annotated[
        int,
        Option("Sentences of each document to encode, in addition to the document itself.", "--sentences"),
        Range(0),
    ] = 9
    form: Annotated[Form, Option("Form of the internalizers: residual, or paper (the paper's form).")] = "residual"
    device: Annotated[str, Option("Where the autoencoder is trained: cpu, cuda, cuda:1, mps or xpu.")] = "cpu"
    seed: Annotated[Seed, Option("Same seed, same explainer.")] = 0
    name: Annotated[str | None, Option("The explainer's name; default: its folder's.")] = None
    notes: Annotated[str, Option("A paragraph for the model card: where the data comes from, and its licence.")] = ""
    cache: Annotated[Path | None, Option("Folder for encoded texts; default: the user's cache folder.")] = None
    held_out: Annotated[float, Range(0, 0.5, below=True)] = 0.02  # fraction of documents for the card's metrics
    label_examples: Annotated[int, Range(1)] = 20  # strongest texts of a feature, from which its label is made

    def __post_init__(self) -> None:
        super().__post_init__()
        chosen = (self.features, self.l0, self.inference_l0, self.epochs, self.device)
        if self.sae is not None and chosen != (None, None, None, None, "cpu"):
            raise InputError("fit: give `sae`, or features, l0, inference_l0, epochs and device")
        self.training(1000)  # the configurations made from this one check that they can be trained
        self.to_dict()

    def training(self, vectors: int, rows: int | None = None) -> SaeConfig:
        """How the autoencoder is trained for this many vectors, on `rows` rows (vectors and views)."""
        if self.sae is not None:
            return self.sae
        return sae_by_rule(
            vectors,
            rows,
            features=self.features,
            l0=self.l0,
            inference_k=self.inference_l0,
            epochs=self.epochs,
            device=self.device,
            seed=self.seed,
        )

    @property
    def internalizer(self) -> InternalizerConfig:
        """How each internalizer is trained."""
        return InternalizerConfig(self.form, seed=self.seed)

    @property
    def drawn_by(self) -> int:
        """The seed of the held-out documents."""
        return self.seed if self.sae is None else self.sae.seed

    def to_dict(self) -> dict[str, Any]:
        """As the explainer's config.json records it."""
        return {
            "sentences_per_document": self.sentences_per_document,
            "held_out": self.held_out,
            "label_examples": self.label_examples,
            "internalizer": self.internalizer.to_dict(),
            "features": self.features,
            "l0": self.l0,
            "inference_l0": self.inference_l0,
            "epochs": self.epochs,
            "sae": None if self.sae is None else self.sae.to_dict(),
            "seed": self.drawn_by,
        }
