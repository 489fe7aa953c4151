"""Where work runs: in this process or in worker processes. Nothing here knows what the work is."""
