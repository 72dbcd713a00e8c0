"""The rooms of the API by theme, in the order of its description."""

from __future__ import annotations

from portal.api import (
    dictionary,
    evaluation,
    fitness,
    places,
    releases,
    report,
    reporting,
    resources,
    safety,
    scenarios,
    schools,
    search,
    visits,
)

# A fixed address stands before one with a code in it.
ROOMS = (
    *(places, scenarios, evaluation, fitness, report, safety, visits, schools, search),
    *(resources, reporting, releases, dictionary),
)
