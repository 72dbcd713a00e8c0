"""Why a value is missing: the one list of reasons (`expectations/codes/missing_reason.csv`)."""

from __future__ import annotations

import re

from jobs.declare.codes import code_list

LIST = "missing_reason"
# Columns that say why a row has no figure, and the words in them that say that it has one.
_COLUMN = re.compile(r"(^|_)missing_reason$|^refused_reason$|^rate_status$|^score_status$")
NO_REASON = ("ok", "scored")

Reason = dict[str, str]


def is_reason_column(name: str) -> bool:
    """Whether a column of a mart holds reasons of the list."""
    return bool(_COLUMN.search(name))


def reasons() -> dict[str, Reason]:
    """Code -> `zh`, `en` and `symbol`, the mark that stands for the value in a table."""
    return {
        row["code"]: {"zh": row["meaning_zh"], "en": row["meaning_en"], "symbol": row["symbol"]}
        for row in code_list(LIST).rows
    }


def told(code: str | None) -> str:
    """The reason in Chinese; of a code that the list has not, the code itself."""
    return reasons().get(code or "", {"zh": code or ""})["zh"]
