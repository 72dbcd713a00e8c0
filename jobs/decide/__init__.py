"""The four decision services: clean tables in, `decision_` tables out, each row with its run and vintage.

Each service is a folder: its methods, which know nothing of tables, and `job.py`, which reads, calls them and
appends. A job has `INPUTS`, the tables it reads: where none of them changed since the last release, its last
decisions stand (with `EACH_DAY` on the same day only); and `decide(settings, spark, run)`, which returns rows
per table.
"""
