"""A synthetic Beijing: feed files in the senders' shapes, true to published figures, about no real person."""

from synthetic.city.write import CitySummary, write_city

__all__ = ["CitySummary", "write_city"]
