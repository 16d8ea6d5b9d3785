"""Fitting a recognizer: the Lightning module, its callbacks and the run directory."""
