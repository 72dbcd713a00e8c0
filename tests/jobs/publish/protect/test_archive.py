"""What every release showed is kept once, whatever becomes of the release and of who made it."""

from __future__ import annotations

from collections.abc import Callable

from jobs.lake import tables
from jobs.publish.protect import archive
from jobs.publish.protect.archive import Archive, Cells, GroupKey
from jobs.publish.protect.rules import read_rule

from .conftest import Site, declared

TABLE = "pub_enrollment_district_year"
GROUP: GroupKey = (TABLE, "pupil_count", '["primary", "2025"]')


def cells(**counts: tuple[int, str]) -> dict[GroupKey, Cells]:
    return {GROUP: {(unit, "pupil_count"): count for unit, count in counts.items()}}


def test_a_release_is_the_cells_that_changed_until_then(make_site: Callable[..., Site]) -> None:
    settings = make_site().settings
    for number, shown in enumerate(
        (cells(A=(9, "k"), B=(30, "c")), cells(A=(10, "k"), B=(30, "c")), cells(B=(30, ""))), 1
    ):
        archive.append(settings, number, f"r{number}", archive.read(settings), shown)
    assert len(tables.rows(settings, archive.TABLE)) == 2 + 1 + 2
    panel = read_rule(TABLE, declared(TABLE)["protect"]).panels[0]
    kept = archive.read(settings)
    states = kept.states(GROUP, panel, ["A", "B"])
    assert [state.values[:, 0].tolist() for state in states] == [[9, 30], [10, 30], [0, 30]]
    assert [state.labels[:, 0].tolist() for state in states] == [["k", "c"], ["k", "c"], ["", ""]]
    assert len(kept.before(3).states(GROUP, panel, ["A", "B"])) == 2
    assert tables.path(settings, archive.TABLE).is_relative_to(settings.restricted)


def test_a_run_that_was_killed_keeps_its_number_and_nobody_else_takes_it(
    make_site: Callable[..., Site],
) -> None:
    settings = make_site().settings
    archive.append(settings, 1, "first", Archive(), cells(A=(9, "k")))
    archive.append(settings, 2, "killed", archive.read(settings), cells(A=(11, "k")))
    found = archive.read(settings)
    assert found.next_number(1, "killed") == 2
    assert found.next_number(1, "another") == 3
    before = len(tables.rows(settings, archive.TABLE))
    archive.append(settings, 2, "killed", found.before(2), cells(A=(11, "k")))
    assert len(tables.rows(settings, archive.TABLE)) == before
