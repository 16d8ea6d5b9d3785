"""Several runs as one model, and what it gains on each of them."""
