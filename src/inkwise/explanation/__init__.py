"""Explanations of a model's answers: attributions, nearest training images, a map of images."""
