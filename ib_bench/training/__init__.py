"""One training run: from a config to a trained model and a record."""
