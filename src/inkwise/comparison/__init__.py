"""Comparison of runs on the same test images, with significance tests."""
