"""Commands that only read answer where nothing can be written; the others say so without a traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.settings import ROOT, Settings

# The lake is mounted for reading only, for this process alone; then each command is called in it.
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
MOUNT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
CALL = """
import json, sys
from typer.testing import CliRunner
from jobs.cli.main import app, told
for words in json.load(sys.stdin):
    done = CliRunner().invoke(app, words)
    error = done.exception if done.exit_code else None
    known = told(error) if isinstance(error, Exception) else None
    print(json.dumps([done.exit_code, done.output, repr(error), known and known.message]))
"""
READS = [
    ["status"],
    ["sql", "select count(*) from fct_fitness_result"],
    ["sql", "--lake", "select count(*) from ops__receipt"],
    ["asof", "2025-10-01", "select count(*) from clean_enrollment__pupil_roll"],
    ["asof", "2025-10-01", "select count(*) from dim_school"],
    ["feed", "receipts", "--limit", "3"],
    ["safety", "plan", "--visits", "3"],
    ["places", "scenario", "--stage", "primary"],
]
# A receipt that was refused; the id is filled in.
WRITES = [["run"], ["clean", "--yes"], ["feed", "retry", "RECEIPT"], ["feed", "report", "RECEIPT"]]


def calls(mounted: Path, asked: list[list[str]]) -> list[tuple[int, str, str, str | None]]:
    """Exit code, output, error, and what a person is told, of each command where `mounted` is read-only."""
    able = (
        shutil.which("unshare")
        and not subprocess.run(
            [*UNSHARE, "sh", "-c", MOUNT, "sh", str(mounted), "true"], capture_output=True, check=False
        ).returncode
    )
    if not able:
        pytest.skip("NOT RUN: this machine lets nobody mount a folder for reading only")
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", MOUNT, "sh", str(mounted), sys.executable, "-P", "-c", CALL],
        input=json.dumps(asked),
        env=os.environ | {"EDULAKE_HOME": str(mounted), "PYTHONPATH": str(ROOT), "EDULAKE_SITE": "beijing"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_a_lake_that_is_only_readable_answers_and_says_what_it_cannot_do(lake: Settings) -> None:
    from jobs.lake import tables

    refused = next(r["receipt_id"] for r in tables.rows(lake, "ops__receipt") if r["outcome"] == "refused")
    writes = [[refused if word == "RECEIPT" else word for word in words] for words in WRITES]
    # Without the note of hashes `status` would make it again.
    (lake.restricted / "hashes.json").unlink(missing_ok=True)
    found = calls(lake.home.parent, [*READS, *writes])
    for words, (code, output, error, _) in zip(READS, found, strict=False):
        assert code == 0, f"{words}: {error}\n{output}"
        assert len(output) > 50
    for words, (code, output, error, told) in zip(writes, found[len(READS) :], strict=True):
        assert code == 1, f"{words}: {output}"
        assert told, f"{words}: {error}"
        assert "read-only" in told.lower(), told
    assert lake.home.is_dir()
    assert not (lake.restricted / "hashes.json").exists()


AS_ANOTHER = """
import os, sys
from jobs import settings
from jobs.cli import main
from jobs.run import summary
settings.load()
# What is imported late is imported now: the environment itself may belong to its owner alone.
sys.argv = ["edulake", "status", "--help"]
try:
    main.main()
except SystemExit:
    pass
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.argv = ["edulake", "status"]
main.main()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN: only root can try as another user")
def test_who_may_not_look_into_a_lake_is_told_so(settings: Settings) -> None:
    settings.home.parent.chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-P", "-c", AS_ANOTHER],
        env=os.environ | {"EDULAKE_SITE": "beijing", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "Permission denied" in done.stderr
    assert "What to do" in done.stderr
