"""The success curve: how likely one training run succeeds at each training-set size, and N50 with its interval."""
