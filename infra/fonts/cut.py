"""Cut the font of reports: the characters of GB 2312 and what stands beside them, out of Noto Sans SC.

    python infra/fonts/cut.py FOLDER

FOLDER is the unpacked npm package of README.md. The same package and fontTools give the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fontTools import subset

HERE = Path(__file__).resolve().parent
# Weight -> its file in the package.
WEIGHTS = {"Regular": "400Regular/NotoSansSC_400Regular.ttf", "Bold": "700Bold/NotoSansSC_700Bold.ttf"}
# Latin, punctuation, arrows, mathematical and circled signs, shapes, Chinese punctuation, full-width forms.
BLOCKS = ((0x20, 0x7F), (0xA0, 0x180), (0x2000, 0x2070), (0x2190, 0x21A0), (0x2200, 0x2300), (0x2460, 0x2500))
MORE_BLOCKS = ((0x25A0, 0x2600), (0x3000, 0x3040), (0xFF00, 0xFFF0))
_UNUSED_TABLES = ["vhea", "vmtx", "VORG", "BASE", "STAT", "DSIG"]


def gb2312() -> set[str]:
    """All characters of GB 2312."""
    found = set()
    for first in range(0xA1, 0xF8):
        for second in range(0xA1, 0xFF):
            try:
                found.add(bytes([first, second]).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return found


def cut(package: Path, target: Path) -> None:
    """Write the cut font of each weight to `target`, a folder."""
    options = subset.Options()
    options.hinting, options.glyph_names, options.recalc_timestamp = False, False, False
    options.layout_features = ["kern", "locl", "ccmp", "mark", "mkmk", "tnum"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.drop_tables += _UNUSED_TABLES
    characters = {ord(one) for one in gb2312()}
    characters |= {code for first, end in BLOCKS + MORE_BLOCKS for code in range(first, end)}
    for weight, name in WEIGHTS.items():
        font = subset.load_font(str(package / name), options)
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=characters)
        cutter.subset(font)
        subset.save_font(font, str(target / f"NotoSansSC-{weight}.ttf"), options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the unpacked npm package")
    cut(parser.parse_args().folder, HERE)
