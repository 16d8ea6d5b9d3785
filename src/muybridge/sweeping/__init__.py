"""Many trainings of one recipe with some of its options varied, and what they say together."""
