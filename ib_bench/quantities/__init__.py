"""The measured quantities. Every folder here is one quantity, with its jobs, records, tables and figures."""
