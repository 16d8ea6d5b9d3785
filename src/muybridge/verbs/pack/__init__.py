"""Packing clips into shards."""
