"""Places: how many pupils each school, area, district and the city will have, by grade, with intervals."""
