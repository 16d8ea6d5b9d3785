"""From frames to batches: the decode-once cache, augmentation and the loader."""
