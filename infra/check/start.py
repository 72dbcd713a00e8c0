"""Start the check of this folder: its own program, and packages of this folder or of this Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = HERE.parent / "packages"

if sys.version_info[:2] != (3, 11):
    sys.exit(f"需要 Python 3.11, 现在是 {sys.version.split()[0]}。 Python 3.11 is needed.")
# A machine without POSIX has none of these; nothing here needs what they do.
elsewhere = [] if os.name == "posix" else [str(HERE / "elsewhere")]
sys.path[:0] = [str(HERE), *([str(PACKAGES)] if PACKAGES.is_dir() else []), *elsewhere]
sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.environ["EDULAKE_SITE"] = (HERE / "site").read_text(encoding="utf-8").strip()
for name in ("EDULAKE_HOME", "EDULAKE_STORAGE", "EDULAKE_SITES", "EDULAKE_EXPECTATIONS"):
    os.environ.pop(name, None)

try:
    from jobs.cli.check_file import alone
except ModuleNotFoundError as error:
    sys.exit(
        f"缺少程序包 {error.name} (package missing)。请在能上网的电脑上执行:\n"
        f'  "{sys.executable}" -m pip install --target "{PACKAGES}" -r "{HERE.parent / "requirements.txt"}"'
    )
alone()
