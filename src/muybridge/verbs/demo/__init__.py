"""The demonstration: drawn clips, two protocols, one prediction."""
