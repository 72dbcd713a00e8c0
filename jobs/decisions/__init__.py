"""The four decision services as jobs: clean tables in, `decision_` tables out, each row with run and vintage.

The methods live in `jobs.fitness`, `jobs.places`, `jobs.safety` and `jobs.evaluation` and know nothing of
tables. A module here has `INPUTS`, the tables it reads: where none of them changed since the last release,
its last decisions stand (with `EACH_DAY` on the same day only); and `decide(settings, spark, run)`, which
returns rows per table.
"""
