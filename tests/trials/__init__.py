"""Tests of sweeps and cross-validation, and a recipe that trains in a blink."""

from inkwise import Recipe
from inkwise.networks.layers import Conv, Dense, Flatten, MaxPool

TINY = Recipe(
    name="tiny",
    network=(Conv(4, 3, activation="relu"), MaxPool(4), Flatten(), Dense()),
    epochs=3,
    batch_size=60,
)
