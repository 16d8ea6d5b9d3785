"""Published weights: where they are, how they are fetched, read and fitted in."""
