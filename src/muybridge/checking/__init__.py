"""Decoding every file of a catalog: what is bad and why, duplicates, leaks, a summary."""
