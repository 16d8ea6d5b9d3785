"""What computes a recognizer's scores: torch, or a file made by ``muybridge export``."""
