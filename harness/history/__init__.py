"""What a watch has seen: its files, its baselines, what changed and which alert stands. Of the reading half."""
