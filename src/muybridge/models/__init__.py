"""From batches to scores: frame encoders, temporal heads, the recognizer and its weights."""
