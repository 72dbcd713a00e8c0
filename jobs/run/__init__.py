"""A run: its tasks, the command, its summary."""
