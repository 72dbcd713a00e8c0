"""Killed anywhere and run again: every table and the release equal those of an undisturbed run, by digest.

`./edulake test --chaos` dies the sixty deaths of the seeds 1 to 60, six of them belong to `--all`;
`tests.chaos` says who dies when. What the ordinary suite kills are steps: of ingest, repair and publication.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import settings as site_settings
from jobs.settings import Settings

from . import chaos

# The folder, moment -> commits, and the site after an undisturbed run.
Sites = tuple[Path, dict[str, int], Settings]

ALL = range(1, 61)
# The command itself at its receipts, dbt, the scheduler, a reader, Java and Airflow's launcher.
IN_SUITE = (22, 3, 6, 11, 18, 28)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--chaos")
        seeds = [int(asked)] if asked.isdigit() else ALL if asked else IN_SUITE
        marks = [] if asked else [pytest.mark.slow]
        metafunc.parametrize("seed", [pytest.param(seed, marks=marks) for seed in seeds])


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, engine_url: str) -> Iterator[Sites]:
    """A site with files that wait; how many commits taking them makes; the site after that."""
    base, undisturbed = (tmp_path_factory.mktemp(name) for name in ("base", "undisturbed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDULAKE_SITES", "")
        patch.setenv("EDULAKE_SITE", "beijing")
        patch.setenv("EDULAKE_SPARK", engine_url)
        patch.setenv("EDULAKE_HOME", str(base))
        settings = chaos.make_site(base)
        chaos.take(settings)
        chaos.hand_in(settings)
        shutil.copytree(base, undisturbed, dirs_exist_ok=True)
        patch.setenv("EDULAKE_HOME", str(undisturbed))
        settings = site_settings.load("beijing", undisturbed)
        before = chaos.counted(settings)
        chaos.take(settings)
        counts = {moment: number - before[moment] for moment, number in chaos.counted(settings).items()}
        yield base, counts, settings


@pytest.fixture
def site(sites: Sites, tmp_path: Path) -> Iterator[Settings]:
    """A copy of that site."""
    shutil.copytree(sites[0], tmp_path, dirs_exist_ok=True)
    yield site_settings.load("beijing", tmp_path)
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_sixty_seeds_kill_every_process_at_every_moment_by_every_signal() -> None:
    deaths = [chaos.death(seed, {}) for seed in ALL]
    assert {d.process for d in deaths} == {p for _, killed in chaos.MOMENTS.values() for p in killed}
    assert {d.moment for d in deaths} == set(chaos.MOMENTS)
    assert {d.signal for d in deaths} == set(chaos.SIGNALS)


def test_a_plain_run_after_a_death_gives_what_an_undisturbed_run_gives(
    sites: Sites, site: Settings, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    _, counts, undisturbed = sites
    chaos.die_and_run_again(site, chaos.death(seed, counts), undisturbed, lambda words: say(capsys, words))


def say(capsys: pytest.CaptureFixture[str], words: str) -> None:
    """Print at once what happens: a seed that fails can be tried again before the others have ended."""
    if os.environ.get("PYTEST_XDIST_WORKER") is None:
        with capsys.disabled():
            print(words, end="", flush=True)
