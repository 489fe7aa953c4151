"""Studies ask for trials and read records: the search for N*, and suites of searches."""
