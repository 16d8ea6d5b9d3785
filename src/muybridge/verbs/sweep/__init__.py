"""A recipe with some options varied, compared on validation clips."""
