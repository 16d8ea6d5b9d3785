"""A run to a bucket or a model hub."""
