"""Collect once (一数一源): which items of a request form the lake already holds."""
