"""Fetching a published data set: download, unpack, check, count."""
