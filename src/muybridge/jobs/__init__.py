"""The main jobs: each walks through the rooms in order, from clips to a result."""
