"""From features over time to one vector."""
