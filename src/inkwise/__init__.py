"""inkwise: train a handwritten-digit CNN, evaluate it honestly, look at every mistake."""

__version__ = "0.1.0"
