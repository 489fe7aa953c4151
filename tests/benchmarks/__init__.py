"""What the suite costs, always as a ratio of two things timed alternately in one run."""
