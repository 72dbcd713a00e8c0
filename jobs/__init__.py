"""The ground that every room stands on: settings, whole files, SQL literals, days and school years.

Importing it makes this process, and every process that it starts, write files for their owner alone:
lakes hold rows of pupils, and no writer of ours, nor Java, Airflow or dbt, has to remember that.
"""

import os

# What the person's own shell gave away before; files that he asks for (`--output`) keep to it.
UMASK_OF_CALLER = os.umask(0o077)
