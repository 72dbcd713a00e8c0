"""`./edulake notebook`: the worked examples of `notebooks/`, opened in the site's own folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Port, Site
from jobs.screen import console
from jobs.settings import ROOT, Settings, UserError, writing

EXAMPLES = ROOT / "notebooks"


def notebook(
    name: Annotated[
        str | None, typer.Argument(help="places, fitness, senders, api, or one of your own.")
    ] = None,
    site: Site = None,
    port: Port = 2718,
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
) -> None:
    """Open worked examples on the current release as notebooks, on this machine only.

    在浏览器中打开分析笔记本，以当前发布版为数据，只读，仅本机可访问。

    They lie in the site's folder `notebooks`, where you may change them; an example that is there stays.
    """
    if importlib.util.find_spec("marimo") is None:
        raise UserError("marimo is not installed.", "`.venv/bin/uv sync --inexact` installs it.")
    settings = site_settings.load(site)
    folder = placed(settings)
    target = folder if name is None else folder / f"{name.removesuffix('.py')}.py"
    if name is not None and (target.parent != folder or not target.exists()):
        there = ", ".join(sorted(file.stem for file in folder.glob("*.py")))
        raise UserError(f"there is no notebook {name!r}.", f"There are: {there}.")
    console.say(f"notebooks in {folder}; Ctrl-C ends")
    options = ["--host", "127.0.0.1", "--port", str(port), "--skip-update-check"]
    command = [sys.executable, "-m", "marimo", "edit", *options, *(["--headless"] if headless else [])]
    os.chdir(folder)
    os.execve(sys.executable, [*command, str(target)], environment(settings))


def placed(settings: Settings) -> Path:
    """The site's folder of notebooks, with the examples that are not there yet."""
    folder = settings.home / "notebooks"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for example in sorted(EXAMPLES.glob("*.py")):
            if not (folder / example.name).exists():
                shutil.copyfile(example, folder / example.name)
    return folder


def environment(settings: Settings) -> dict[str, str]:
    """What a notebook's process needs to find this site and our code."""
    return os.environ | {
        "EDULAKE_SITE": settings.site,
        "EDULAKE_HOME": str(settings.home.parent),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "client"))),
    }
