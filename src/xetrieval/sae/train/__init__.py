"""Training autoencoders on plain vectors: a table of variants, one loop, exact resumption."""

from .config import SaeConfig, SaeProgress
from .loop import Trained, train_many, train_sae
from .rows import Stack

__all__ = ["SaeConfig", "SaeProgress", "Stack", "Trained", "train_many", "train_sae"]
