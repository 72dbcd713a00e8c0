"""The synthetic city as a site's input: its files go to the site's own landing, once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from jobs.files import replacing
from jobs.screen import Screen
from jobs.settings import Settings, UserError
from synthetic.city.write import write_city

CITY_YEARS = (2024, 2025)
SCALE, SEED = 0.02, 7


def write_landing(settings: Settings, scale: float | None, seed: int | None, console: Screen) -> None:
    """Write the city into the site's landing, once; a killed move is done again by the next call.

    Without `scale` or `seed` those of the city that is there hold, else SCALE and SEED. Raises UserError
    where the lake holds a city of another scale or seed.
    """
    note = settings.run / "city.json"
    there = json.loads(note.read_text()) if note.is_file() else {}
    scale = there.get("scale", SCALE) if scale is None else scale
    seed = there.get("seed", SEED) if seed is None else seed
    wanted = {"scale": scale, "seed": seed, "years": list(CITY_YEARS)}
    if there:
        is_whole = there.pop("is_whole")
        if there != wanted:
            raise UserError(
                f"this lake holds the city of scale {there['scale']} and seed {there['seed']}.",
                f"Run without --scale and --seed, remove it with `{settings.command('clean')}`, "
                "or set EDULAKE_HOME to another folder.",
            )
        if is_whole:
            return
    part = settings.home / ".city.part"
    shutil.rmtree(part, ignore_errors=True)
    with console.status(f"writing the synthetic city (scale {scale}, seed {seed}) …") as shown:
        write_city(
            part, scale=scale, seed=seed, years=CITY_YEARS, on_progress=lambda text: shown.update(str(text))
        )
    # A killed move is done again by the next run, from fresh files of the same bytes.
    _note(note, wanted | {"is_whole": False})
    for file in sorted(p for p in part.rglob("*") if p.is_file()):
        inside = file.relative_to(part)
        target = settings.landing / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
    shutil.rmtree(part)
    _note(note, wanted | {"is_whole": True})


def _note(note: Path, content: dict[str, Any]) -> None:
    with replacing(note) as fresh:
        fresh.write_text(json.dumps(content))
