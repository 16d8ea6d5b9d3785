"""Rendered clips of moving figures, and the demonstration that trains on them."""
