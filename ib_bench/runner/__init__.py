"""From configs to experiments, plans and running jobs, with the store, W&B and watchers around them."""
