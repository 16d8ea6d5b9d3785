"""Naming the action in video files: a few, printed as they are done, or many, into files of Parquet."""
