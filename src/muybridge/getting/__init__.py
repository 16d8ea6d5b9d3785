"""Public data sets from the net: where they are published, fetching, unpacking."""
