"""The four decision services: clean tables in, `decision_` tables out, each row with its run and vintage.

Each service is a folder. Its methods know nothing of tables; `job.py` reads, calls them and appends;
`read.py`, where there is one, holds what is read. A job has `INPUTS`, the tables it reads: where none of them
changed since the last release, its last decisions stand (with `EACH_DAY`, on the same day only). Its
`decide(settings, spark, run)` returns the number of rows by table; `spark` opens a session where a job needs
one.
"""
