"""``ib-bench bench``."""
