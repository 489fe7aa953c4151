"""What is measured. Every folder here is one quantity, with all that belongs to it."""
