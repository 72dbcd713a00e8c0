"""A synthetic Beijing: feed files in the senders' shapes, true to published figures, about no real person."""
