"""From frames to features."""
