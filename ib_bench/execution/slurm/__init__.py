"""Calls as array tasks of Slurm."""
