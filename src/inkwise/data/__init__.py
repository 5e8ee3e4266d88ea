"""Data sets: their files, downloads, the catalogue, label corrections, and splits."""
