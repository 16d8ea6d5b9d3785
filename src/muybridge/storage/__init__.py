"""Files that lie in a bucket or on another machine, behind fsspec: named by URL, read in ranges, written whole.

Whoever opens a file asks `file_parts`, which comes here for what is remote.
"""
