"""Weights & Biases: the only place that imports wandb. The store comes first, W&B second."""
