"""A run's model for a faster engine, checked against torch."""
