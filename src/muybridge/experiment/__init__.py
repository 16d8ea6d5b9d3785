"""What train, sweep, evaluate and demo share: prepare, fit, measure."""
