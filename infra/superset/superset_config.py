"""Settings of a Superset beside the lake: Chinese first, no telemetry, its own metadata in one file."""

import os
from pathlib import Path

HOME = Path(os.environ.get("SUPERSET_HOME", Path.home() / ".superset"))
# Make one with `openssl rand -base64 42`, keep it, and give it to nobody.
SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ.get("SUPERSET_DATABASE", f"sqlite:///{HOME}/superset.db")
BABEL_DEFAULT_LOCALE = "zh"
LANGUAGES = {"zh": {"flag": "cn", "name": "简体中文"}, "en": {"flag": "us", "name": "English"}}
SQLLAB_CTAS_NO_LIMIT = False
