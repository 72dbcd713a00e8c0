"""What the portal tells of itself: whether it lives and is ready, its figures, and a log of requests."""
