"""Streams: cameras, addresses on a network, pipes, and files at their own speed."""
