"""The client is installed as its README says, and needs what it declares and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from jobs.access.caller import Caller, Role
from jobs.publish.release import Release
from jobs.settings import ROOT, Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app

from ..portal.conftest import publish, settings
from ..portal.test_connections import serving

__all__ = ["publish", "settings"]
_ASKS = """
import sys
from edulake_client import Edulake

with Edulake(sys.argv[1]) as lake:
    print(sum(1 for _ in lake.rows("dim_school")), lake.about().as_of_date)
"""


def needed(names: list[str]) -> Iterator[str]:
    """These distributions and all that they require here."""
    waiting, found = [*names], set[str]()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        yield name
        for line in metadata.requires(name) or ():
            if "extra ==" not in line and "python_version <" not in line and "sys_platform" not in line:
                waiting.append(re.split(r"[^\w.-]", line)[0])


def test_the_client_is_built_and_installed_alone(
    settings: Settings, publish: Callable[..., Release], tmp_path: Path
) -> None:
    publish(1)
    source = tmp_path / "client"
    shutil.copytree(ROOT / "client", source, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")

    alone = tmp_path / "alone"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(alone)], check=True)
    python = alone / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    install = [
        str(uv),
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        str(python),
        str(wheel),
    ]
    subprocess.run(install, check=True)
    packages = Path(next(alone.glob("lib/*/site-packages")))
    assert {"models.py", "py.typed"} <= {path.name for path in (packages / "edulake_client").iterdir()}

    (told,) = packages.glob("edulake_client-*.dist-info")
    declared = metadata.PathDistribution(told).requires or []
    own = [re.split(r"[^\w.-]", line)[0] for line in declared if "extra ==" not in line]
    for name in needed(own):
        for top in {file.parts[0] for file in metadata.files(name) or () if file.parts[0] != ".."}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))

    app = create_app(settings, EverybodyIs(Caller(Role.CITY, "official")))
    with serving(app) as port:
        asked = [str(python), "-I", "-c", _ASKS, f"http://127.0.0.1:{port}"]
        answer = subprocess.run(asked, check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["240", "2026-09-10"]
