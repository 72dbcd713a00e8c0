"""The rooms of the API by theme, in the order of its description."""

from __future__ import annotations

from portal.api import (
    evaluation,
    fitness,
    places,
    reporting,
    resources,
    safety,
    scenarios,
    schools,
    search,
)

# A fixed address stands before one with a code in it.
ROOMS = (places, scenarios, evaluation, fitness, safety, schools, search, resources, reporting)
