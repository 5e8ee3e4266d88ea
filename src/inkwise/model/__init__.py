"""The trained artifact: its files, how it is run, and what it answers."""

from inkwise.model.answers import Answer
from inkwise.model.artifact import Model

__all__ = ["Answer", "Model"]
