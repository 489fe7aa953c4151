"""How many training sequences a sequence model needs to learn to track a state.

The package measures, for any sequence model, the smallest training set with which it solves a state-tracking task
(N*, ``min_train_size``). It follows *On the "Induction Bias" in Sequence Models* (arXiv 2602.18333).
"""

__version__ = "0.1.0"
