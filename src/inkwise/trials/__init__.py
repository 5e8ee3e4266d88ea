"""Many trainings: a sweep over values of a recipe, and cross-validation."""
