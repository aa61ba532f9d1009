"""A small audit on a schedule: when the next round is due, what it may cost, and one round after the other."""
