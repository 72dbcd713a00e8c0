from __future__ import annotations

import io
import json
import socket
from pathlib import Path

import pytest

from jobs.run import doctor
from jobs.screen import Screen
from jobs.settings import Settings, load
from jobs.spark import jars


def _checks(settings: Settings) -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor.report(settings)}


def test_a_sound_machine_lacks_nothing(settings: Settings) -> None:
    found = io.StringIO()
    assert doctor.show(settings, Screen(file=found, width=200))
    for name in ("Python", "Java", "Delta's jars", "home", "disk", "memory"):
        assert name in found.getvalue()


def test_each_fault_is_told_with_a_way_out_and_ends_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_JAVA", str(tmp_path / "no-java"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(jars, "FOLDER", tmp_path / "no-jars")
    site = load("beijing", home="/dev/null/edulake")
    checks = _checks(site)
    for name in ("Java", "Delta's jars", "home"):
        assert checks[name].state == "missing"
        assert checks[name].way_out
    assert {checks[name].state for name in ("chromium", "node", "Rscript", "psql")} == {"note"}
    assert not doctor.show(site, Screen(file=io.StringIO()))


def test_port_in_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        check = doctor._port("portal's port", taken.getsockname()[1])
    assert (check.state, "--port" in check.way_out) == ("note", True)


def test_batch_of_a_killed_run_is_told(settings: Settings) -> None:
    assert _checks(settings)["earlier runs"].state == "ok"
    batch = settings.restricted / "batches" / "enrollment" / "b1.json"
    batch.parent.mkdir(parents=True)
    batch.write_text(json.dumps({}))
    check = _checks(settings)["earlier runs"]
    assert (check.state, "b1" in check.found) == ("note", True)
