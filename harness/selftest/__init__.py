"""Proof of our own clocks: a server that knows the truth, jobs against it, and a table of how far off we are."""
