"""Named experiments, one short commented YAML file each."""
