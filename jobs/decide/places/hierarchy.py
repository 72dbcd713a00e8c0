"""The units above each school: area, district, zone, city."""

from __future__ import annotations

import pandas as pd

from jobs import declare
from jobs.decide.places import gap
from jobs.decide.places.rows import rows_of


def units_of(counts: pd.DataFrame, register: pd.DataFrame) -> pd.DataFrame:
    """One row a school with the units above it: `school`, `area`, `district`, `zone`, `city`.

    The area is the register's, the district the newest that the returns name; an area is named within it."""
    newest = counts.sort_values("year").drop_duplicates("unit", keep="last")
    area_of = dict(zip(register["school_code"], register["area_name"], strict=True)) if len(register) else {}
    zone_of = {row["code"]: row.get("zone_code") or "" for row in declare.code_list("district").rows}
    units = pd.DataFrame({"school": newest["unit"], "district": newest["parent_unit"]}).reset_index(drop=True)
    if (units["district"] != "").any():
        units["district"] = units["district"].replace("", gap.NO_UNIT)
    areas = [area_of.get(school) or gap.NO_UNIT for school in units["school"]]
    named = units["district"] + "/" + pd.Series(areas, index=units.index)
    units["area"] = named.where((units["district"] != "") & bool(area_of), "")
    zones = units["district"].map(zone_of)
    units["zone"] = zones.fillna(gap.NO_UNIT) if zones.notna().any() else ""
    units["city"] = gap.CITY
    return units


def groups_of(units: pd.DataFrame) -> dict[str, dict[str, tuple[str, str]]]:
    """Areas and zones as further levels of the forecast; none where the site has none."""
    found = {}
    for level, above in (("area", "district"), ("zone", "city")):
        named = units[units[level] != ""]
        if len(named):
            pairs = zip(named[level], named[above], strict=True)
            found[level] = dict(zip(named["school"], pairs, strict=True))
    return found


def districts_of(rows: pd.DataFrame, units: pd.DataFrame) -> pd.Series:
    """The district of each row's unit; null above districts."""
    of: dict[tuple[str, str], str] = {}
    for row in rows_of(units):
        of[("school", row.school)] = of[("area", row.area)] = of[("district", row.district)] = row.district
    found = [of.get(unit) for unit in zip(rows["level"], rows["unit_code"], strict=True)]
    return pd.Series(found, index=rows.index, dtype=object)
