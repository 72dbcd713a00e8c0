"""A feed from landing to clean, batch by batch."""
