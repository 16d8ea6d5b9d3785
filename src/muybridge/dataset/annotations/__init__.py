"""Annotations of long videos in the formats that annotators write: one module a format, one table inside.

`annotation_files` is the door: it recognises a file, reads it, and writes segments in a format.
"""
