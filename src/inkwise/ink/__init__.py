"""Preprocessing: from any picture of a digit to the array that the network expects.

*Ink* is the foreground of a picture of handwriting, and the name of this preprocessing. Its
opposite is the background.
"""

from inkwise.ink.decoding import Picture
from inkwise.ink.fitting import BOX, CANVAS, fit_and_centre
from inkwise.ink.normalising import Ink, normalise, normalise_batch, take_as_is

__all__ = [
    "BOX",
    "CANVAS",
    "Ink",
    "Picture",
    "fit_and_centre",
    "normalise",
    "normalise_batch",
    "take_as_is",
]
