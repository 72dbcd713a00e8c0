"""Who asks, what they may see, and the trail of what they read and wrote."""
