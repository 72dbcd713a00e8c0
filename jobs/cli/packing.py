"""The folder with which a district checks files on its own machine: needed modules, declarations, a start.

Which modules and packages are needed is read from the imports, so that no list has to be kept by hand.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from jobs.files import OUTPUT_MODE
from jobs.settings import EXPECTATIONS, ROOT, Settings, UserError, writing

START = "jobs.cli.check_file"
_PARTS = ROOT / "infra" / "check"
# Windows has no time zones of its own.
_ALSO = ("tzdata",)
# As uv names systems.
SYSTEMS = {
    "windows": "x86_64-pc-windows-msvc",
    "linux": "x86_64-manylinux_2_28",
    "macos": "aarch64-apple-darwin",
}


def pack(settings: Settings, folder: Path, system: str | None) -> Path:
    """Write the folder anew; with `system`, also the packages for such a machine, fetched from the index.

    It appears whole or not at all. Raises UserError for a folder that holds something, and where packages
    cannot be had.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already.", "Name a folder that does not exist yet.")
    with writing(folder, of_lake=False):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pack-") as aside:
            made = Path(aside) / "made"
            _write(settings, made)
            if system is not None:
                _fetch(made, system)
            for path in (made, *made.rglob("*")):
                is_open = path.is_dir() or path.name == "check"
                path.chmod(0o755 & (OUTPUT_MODE | 0o111) if is_open else OUTPUT_MODE)
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
    return folder


def _write(settings: Settings, made: Path) -> None:
    from jobs.lake import runs

    program = made / "program"
    for module, path in modules().items():
        target = program / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        # Words beside a module.
        if (beside := path.with_suffix(".yaml")).is_file() and module:
            shutil.copyfile(beside, target.with_suffix(".yaml"))
    shutil.copytree(EXPECTATIONS, program / "expectations", ignore=shutil.ignore_patterns("__pycache__"))
    sites = program / "infra" / "sites"
    for file in settings.own_files:
        target = sites / file.relative_to(settings.file.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    for part in ("start.py", "elsewhere"):
        source = _PARTS / part
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, program / part)
    for part in ("check", "check.cmd", "说明.txt"):
        shutil.copyfile(_PARTS / part, made / part)
    (program / "site").write_text(f"{settings.site}\n", encoding="utf-8")
    (program / "version").write_text(f"{runs.fingerprint(settings)}\n", encoding="utf-8")
    (made / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements()), encoding="utf-8")


def _fetch(made: Path, system: str) -> None:
    """Put the packages for a system into the folder. Raises UserError where they cannot be had."""
    words = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    words += ["--python-version", "3.11", "--python-platform", SYSTEMS[system]]
    words += ["--target", str(made / "packages"), "--requirement", str(made / "requirements.txt")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"the packages cannot be had: {done.stderr.strip()}",
            "Leave out --packages, and have them installed as 说明.txt in the folder says.",
        )


def modules() -> dict[str, Path]:
    """Name -> file of every module of ours that the check can reach, also late and lazily."""
    found: dict[str, Path] = {}
    waiting = [START]
    while waiting:
        name = waiting.pop()
        path = _file_of(name)
        if path is None or name in found:
            continue
        found[name] = path
        waiting += [name.rpartition(".")[0]] * ("." in name)
        waiting += [imported for imported, _ in _imports(path) if imported.split(".")[0] == "jobs"]
    return found


def requirements() -> list[str]:
    """`name==version` of every package that those modules import when they load, and of what these need."""
    names = {
        name.split(".")[0] for path in modules().values() for name, is_late in _imports(path) if not is_late
    }
    of_module = metadata.packages_distributions()
    others = sorted(names - sys.stdlib_module_names - {"jobs"})
    waiting = [*_ALSO, *(of_module[name][0] for name in others)]
    found: dict[str, str] = {}
    while waiting:
        name = _plain(waiting.pop())
        if name not in found:
            found[name] = metadata.version(name)
            waiting += _needed(name)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _needed(name: str) -> Iterator[str]:
    """What a package asks for, without extras, on some system that the folder is for."""
    for line in metadata.requires(name) or ():
        asked, _, marker = line.partition(";")
        if "extra" in marker or not _holds(marker):
            continue
        yield re.split(r"[\s<>=!~\[(]", asked.strip())[0]


def _holds(marker: str) -> bool:
    if not marker.strip():
        return True
    from packaging.markers import Marker

    windows = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"}
    asked = Marker(marker)
    return asked.evaluate({"extra": ""}) or asked.evaluate({"extra": "", **windows})


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _file_of(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split("."))
    places = (path.with_suffix(".py"), path / "__init__.py")
    return next((place for place in places if place.is_file()), None)


def _imports(path: Path) -> list[tuple[str, bool]]:
    """What a module imports, and whether only when a function is called."""
    found: list[tuple[str, bool]] = []

    def look(node: ast.AST, is_late: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                found.extend((alias.name, is_late) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
                found.append((child.module, is_late))
                found.extend((f"{child.module}.{alias.name}", is_late) for alias in child.names)
            else:
                look(child, is_late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    look(ast.parse(path.read_text(encoding="utf-8")), False)
    return found
