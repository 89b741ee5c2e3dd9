"""Training autoencoders on plain vectors: a table of variants, one loop, exact resumption."""

from ..stack import Stack
from .config import SaeConfig, SaeProgress
from .loop import Trained, train_many, train_sae

__all__ = ["SaeConfig", "SaeProgress", "Stack", "Trained", "train_many", "train_sae"]
