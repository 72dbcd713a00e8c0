"""A release in PostgreSQL, for tools that read no DuckDB file: dashboards, BI tools, programs.

    release n -> schema <name>_r<n> (tables, comments, keys, who sees which rows) -> views in schema <name>

A load is one transaction, and so is the switch of the views, so that a reader never meets half a release.
"""
