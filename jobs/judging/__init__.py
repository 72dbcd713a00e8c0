"""Cells → typed values, with a verdict on each line; the audit of a table."""
