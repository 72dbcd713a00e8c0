"""Handing in: files taken from senders, landed as ordinary deliveries, and judged at once."""
