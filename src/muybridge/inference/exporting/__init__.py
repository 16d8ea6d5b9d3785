"""Writing a trained recognizer for an engine."""
