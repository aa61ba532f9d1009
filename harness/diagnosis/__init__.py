"""READ: slow, or falsely timed out, and whose clock. One audit a file; `judge` puts them together."""
