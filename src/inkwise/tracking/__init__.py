"""Trainings told to programs that keep track of experiments."""
