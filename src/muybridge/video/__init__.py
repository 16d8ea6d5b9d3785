"""From a file to exact frames: probe, decode, sample. Knows no labels."""
