"""READ: a run's events in forms that other tools open: Parquet, CSV, HAR 1.2, OTLP JSON."""
