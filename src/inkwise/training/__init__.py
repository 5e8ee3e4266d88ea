"""Training: recipes, data augmentation, the loop and its steps, optimisers, calibration."""
