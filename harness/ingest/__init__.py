"""READ: other people's records, as columns beside our own events."""
