"""What the dbt project repeats of the declared metrics: one macro with every source, for dbt to parse."""

from __future__ import annotations

import json
from typing import Any

from jobs.declare import metrics

MACRO = "metric_sources.sql"

_OPENING = """\
{# Written by `python -m jobs.publish.marts` from expectations/metrics/; a test compares. Each basis of each
   metric: its model and columns, without keys that are empty. jobs/declare/metrics.py explains keys. #}
{% macro metric_sources() %}
    {{- return([
"""
_ENDING = "    ]) -}}\n{% endmacro %}\n"


def macro() -> str:
    """Text of the macro `metric_sources`."""
    return _OPENING + "".join(_line(source) for source in metrics.sources()) + _ENDING


def _line(source: dict[str, Any]) -> str:
    told = {key: json.dumps(value, ensure_ascii=False) for key, value in source.items() if value}
    return "        {" + ", ".join(f'"{key}": {value}' for key, value in told.items()) + "},\n"
