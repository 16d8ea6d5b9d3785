"""Which clips exist: their label, source group and split. Knows no pixels."""
