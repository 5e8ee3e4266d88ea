"""The trained model: its files, how it is run, and the answers that it gives."""

from inkwise.model.answers import Answer
from inkwise.model.artifact import Model

__all__ = ["Answer", "Model"]
