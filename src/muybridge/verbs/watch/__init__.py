"""Watching a stream: events as they begin and end, told to whoever asked for them."""
