"""Many clips in pieces: planned, computed here or on a cluster, and written exactly once as Parquet."""
