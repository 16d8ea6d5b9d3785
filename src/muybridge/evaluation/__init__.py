"""Scores against truth: metrics, intervals, comparisons and pictures."""
