"""Tests of the models' ways out and in."""
