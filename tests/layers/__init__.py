"""Real layers in front of the embedded API, each with a cap of two seconds, in the situations that look alike."""
