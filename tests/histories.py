"""Histories to compare."""

import dataclasses

from inkwise.training.history import Epoch


def without_seconds(history: list[Epoch]) -> list[Epoch]:
    """Return a history as every training of the same recipe and seed writes it."""
    return [dataclasses.replace(epoch, seconds=0) for epoch in history]
