"""Scores against truth: metrics, intervals, pictures and the report."""
