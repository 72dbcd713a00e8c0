"""Stands in where the system bounds no process: files are read in the process itself, within its memory."""
