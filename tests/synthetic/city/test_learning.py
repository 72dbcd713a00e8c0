"""Digital resources: what is used stands in a catalogue, but for what the truth says was left out."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from jobs import declare
from jobs.reading import reader
from synthetic.city.write import CitySummary

City = tuple[Path, CitySummary]


def told(landing: Path) -> dict[str, str]:
    """Resource that no catalogue lists -> its contributor, by the truth."""
    with (landing.parent / "truth" / "unlisted_resources.csv").open(encoding="utf-8") as lines:
        return {row["resource_code"]: row["contributor_code"] for row in csv.DictReader(lines)}


def column(landing: Path, stem: str, name: str) -> dict[str, list[tuple[str, str]]]:
    """A column's value -> the deliveries (day, sender) that state it, of files of one kind."""
    found: dict[str, list[tuple[str, str]]] = {}
    for file in sorted(landing.glob(f"resources/*/*/{stem}_*")):
        reading = reader.read(file, declare.datasets_of("resources"))
        for _, cells in reading.lines:
            stated = (file.parts[-2][:10], file.parts[-3])
            found.setdefault(cells[reading.positions[name]], []).append(stated)
    return found


def test_every_resource_in_use_is_catalogued_before_it_is_used_but_for_the_planted(city: City) -> None:
    listed = column(city[0], "数字资源目录", "resource_code")
    used = column(city[0], "数字资源使用", "resource_code")
    planted = told(city[0])
    assert planted
    assert not planted.keys() & listed.keys()
    assert used.keys() - listed.keys() <= planted.keys()
    assert used.keys() - listed.keys(), "no use of a resource that was left out"
    uses = Counter({code: len(stated) for code, stated in used.items()})
    assert sum(uses[code] for code in planted) < 0.1 * uses.total()
    assert all(min(listed[code])[0] < min(used[code])[0] for code in used.keys() & listed.keys())
    assert all(len(stated) == 1 for stated in listed.values()), "a later catalogue brings only what is new"
    assert all(code.startswith(f"R{by}") for code, by in planted.items())
    assert city[1].faults["resource_not_catalogued"] == len(planted)


def test_without_faults_nothing_is_left_out_of_the_catalogue(faultless: City) -> None:
    listed = column(faultless[0], "数字资源目录", "resource_code")
    assert column(faultless[0], "数字资源使用", "resource_code").keys() <= listed.keys()
    assert not told(faultless[0])
