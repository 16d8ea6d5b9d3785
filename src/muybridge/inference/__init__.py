"""A trained model on new video."""
