"""Benchmarks: they print and never assert. `make bench` runs them all."""
