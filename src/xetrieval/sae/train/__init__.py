"""Training autoencoders on vectors: a table of variants, one loop, exact resumption."""

from ...configs import SaeConfig
from ..stack import Stack
from .config import SaeStep
from .loop import Trained, train_many, train_sae

__all__ = ["SaeConfig", "SaeStep", "Stack", "Trained", "train_many", "train_sae"]
