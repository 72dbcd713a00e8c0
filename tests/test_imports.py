"""The contracts of imports in pyproject.toml: each is broken by the import that it forbids."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from jobs.settings import ROOT

# File → an import that it may not have, and the name of the contract that says so begins with …
FORBIDDEN = {
    "jobs/files.py": ("from jobs.cli import main", "rooms of jobs follow the row"),
    "jobs/reading/sheet.py": ("from jobs.reading import containers", "no circle among the modules"),
    "jobs/lake/runs.py": ("import synthetic.city", "jobs never imports the synthetic city"),
    "portal/guard.py": ("from jobs.lake import tables", "the portal reads a release"),
    "jobs/declare/units.py": ("import portal.app", "only the command line starts the portal"),
    "synthetic/city/numbers.py": ("from jobs.lake import tables", "the synthetic city knows declarations"),
    "dags/decide.py": ("from jobs.lake import tables", "a DAG wires tasks"),
    "jobs/decide/places/gap.py": ("from jobs.lake import tables", "a method of decide knows no tables"),
}


def test_each_contract_of_imports_is_broken_by_what_it_forbids(tmp_path: Path) -> None:
    for package in ("jobs", "portal", "synthetic", "dags"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, (line, _) in FORBIDDEN.items():
        with (tmp_path / name).open("a", encoding="utf-8") as source:
            source.write(f"\n{line}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    broken = re.findall(r"^(.*?)\s+BROKEN", done.stdout, re.MULTILINE)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]
    assert len(contracts) == len(FORBIDDEN), "each contract has a case here"
    for _, begin in FORBIDDEN.values():
        assert any(name.startswith(begin) for name in contracts), f"no contract is named {begin} …"
        assert any(line.startswith(begin) for line in broken), f"{begin} … held:\n{done.stdout}"
