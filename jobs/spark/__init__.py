"""The engine: one Spark Connect server."""
