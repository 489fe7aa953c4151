"""Frozen records of measurements, and their store. Nothing here imports torch."""
