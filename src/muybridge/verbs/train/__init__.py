"""Training on a folder of clips, and going on with a training that was interrupted."""
