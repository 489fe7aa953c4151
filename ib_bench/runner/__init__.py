"""The benchmark runner: studies whose trials are Lightning trainings, kept in the store and logged to W&B."""
