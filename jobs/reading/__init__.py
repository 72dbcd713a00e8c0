"""Files as sent → numbered lines of cells."""
