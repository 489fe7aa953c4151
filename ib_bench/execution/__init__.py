"""Where work runs: in this process, in worker processes or on a cluster. Nothing here knows what the work is."""
