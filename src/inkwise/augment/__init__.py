"""Augmentation: random changes of training images, for whole batches at once."""
