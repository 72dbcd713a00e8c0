"""Comparing fairly: similar schools, and where a unit stands among them."""
