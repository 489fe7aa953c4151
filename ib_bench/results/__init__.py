"""What was measured: frozen records, and the store they are kept in. Nothing here imports torch."""
