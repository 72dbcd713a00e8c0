"""Airflow's private home at one site: folders, secrets, settings, and the environment of its processes."""

from __future__ import annotations

import base64
import configparser
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from jobs.files import replacing
from jobs.settings import Settings, UserError, writing

USER = "admin"


def prepare(settings: Settings) -> None:
    """Create the site's Airflow home if needed: folders, secrets, password. Starts nothing.

    Raises UserError when it cannot be written.
    """
    with writing(settings.airflow):
        for folder in (settings.airflow, settings.secrets, settings.run, settings.logs):
            folder.mkdir(parents=True, exist_ok=True)
        # DAG runs, rendered arguments and task logs are the operator's alone.
        settings.airflow.chmod(0o700)
        settings.secrets.chmod(0o700)
        for name, make in _SECRETS.items():
            _write_once(settings.secrets / name, make)


_SECRETS: dict[str, Callable[[], str]] = {
    "airflow_fernet_key": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
    "airflow_jwt_secret": lambda: secrets.token_hex(64),
    "airflow_api_secret": lambda: secrets.token_hex(32),
    "airflow_passwords.json": lambda: json.dumps({USER: secrets.token_urlsafe(16)}),
}


def password(settings: Settings) -> str:
    """The password of the user `admin` of this site's Airflow."""
    return str(json.loads(_secret(settings, "airflow_passwords.json"))[USER])


def _secret(settings: Settings, name: str) -> str:
    return (settings.secrets / name).read_text(encoding="utf-8")


def _write_once(path: Path, make: Callable[[], str]) -> None:
    if path.exists():
        return
    with replacing(path, mode=0o600) as fresh:
        fresh.write_text(make(), encoding="utf-8")


def _database(settings: Settings) -> str:
    """Where Airflow keeps its runs: SQLite in its home, or EDULAKE_AIRFLOW_DB, a database of this site alone.

    Raises UserError when the drivers for it are not installed.
    """
    url = os.environ.get("EDULAKE_AIRFLOW_DB")
    if not url:
        return f"sqlite:///{settings.airflow / 'airflow.db'}"
    missing = [name for name in ("psycopg", "asyncpg") if find_spec(name) is None]
    if url.startswith("postgresql") and missing:
        raise UserError(
            f"EDULAKE_AIRFLOW_DB names a PostgreSQL database, and {' and '.join(missing)} is not installed.",
            "Add it: `uv pip install psycopg[binary] asyncpg`; or leave EDULAKE_AIRFLOW_DB out for SQLite.",
        )
    return url


def is_migrated(settings: Settings) -> bool:
    """Whether this Airflow version migrated this database before; skipping it saves 3 to 6 s."""
    if not os.environ.get("EDULAKE_AIRFLOW_DB") and not (settings.airflow / "airflow.db").exists():
        return False
    stamp = _stamp(settings)
    return stamp.is_file() and stamp.read_text() == _fingerprint(settings)


def note_migrated(settings: Settings) -> None:
    """Note that this Airflow version migrated this database."""
    _stamp(settings).write_text(_fingerprint(settings))


def _stamp(settings: Settings) -> Path:
    return settings.airflow / "migrated"


def _fingerprint(settings: Settings) -> str:
    # The address may hold a password.
    where = hashlib.sha256(_database(settings).encode()).hexdigest()[:16]
    return f"{version('apache-airflow')} {where}"


def write_config(settings: Settings, port: int) -> None:
    """Write airflow.cfg with every setting we depend on; Airflow's own defaults fill the rest."""
    config = configparser.RawConfigParser()
    config.optionxform = str  # type: ignore[assignment, method-assign]
    for section, values in _options(settings, port).items():
        # Airflow's parser interpolates: a % in a path or a password is written twice.
        config[section] = {key: str(value).replace("%", "%%") for key, value in values.items()}
    path = settings.airflow / "airflow.cfg"
    with replacing(path, mode=0o600) as fresh, fresh.open("w", encoding="utf-8") as file:
        file.write("# Written by edulake at each start; changes are lost.\n")
        config.write(file)


def _options(settings: Settings, port: int) -> dict[str, dict[str, object]]:
    """Section → option → value."""
    url = f"http://127.0.0.1:{port}"
    logs = settings.logs / "airflow"
    return {
        "core": {
            "dags_folder": settings.root / "dags",
            "load_examples": False,
            "executor": "LocalExecutor",
            # More slots than cores lengthen every task: Spark and Airflow share the machine.
            "parallelism": max(2, min(4, (os.cpu_count() or 2))),
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": settings.secrets / "airflow_passwords.json",
            "fernet_key": _secret(settings, "airflow_fernet_key"),
            "execution_api_server_url": f"{url}/execution/",
            "default_timezone": "utc",
            # The default asks the name service for this machine's full name: seconds, without a network.
            "hostname_callable": "socket.gethostname",
            "min_serialized_dag_update_interval": 0,
        },
        "database": {
            "sql_alchemy_conn": _database(settings),
            # `up` migrates, once per Airflow version; else every component would look again.
            "check_migrations": False,
        },
        "scheduler": {
            "scheduler_idle_sleep_time": 0.25,
            # After a killed scheduler, take up its scheduled runs within a minute instead of five.
            "orphaned_tasks_check_interval": 60,
            "task_instance_heartbeat_timeout": 90,
        },
        "dag_processor": {
            "parsing_processes": 1,
            # build_lake is the first file: the command line waits for it.
            "file_parsing_sort_mode": "alphabetical",
            "min_file_process_interval": 300,
        },
        "workers": {
            # With the default 5 s a finished task holds its slot until the next wake-up.
            "min_heartbeat_interval": 1,
            # A machine busy with Spark answers late (6.6 s seen); the default gives up after 5 s.
            "execution_api_timeout": 30,
        },
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "base_url": url,
            "secret_key": _secret(settings, "airflow_api_secret"),
            "instance_name": settings.title_en,
        },
        "api_auth": {"jwt_secret": _secret(settings, "airflow_jwt_secret")},
        "logging": {
            "base_log_folder": logs,
            "dag_processor_child_process_log_directory": logs / "dag_processor",
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
            "colored_console_log": False,
        },
    }


def environment(settings: Settings) -> dict[str, str]:
    """The environment of Airflow's processes, and so of every task."""
    # A setting of the user's own Airflow would win over the site's file.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "_AIRFLOW"))}
    no_proxy = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1,localhost")))
    return kept | {
        "AIRFLOW_HOME": str(settings.airflow),
        "AIRFLOW_CONFIG": str(settings.airflow / "airflow.cfg"),
        "EDULAKE_HOME": str(settings.home.parent),
        "EDULAKE_SITE": settings.site,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(settings.root), kept.get("PYTHONPATH")))),
        # Tasks talk to the api-server over loopback; a proxy of the site's network must not see that.
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "GX_ANALYTICS_ENABLED": "false",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "true",
        "TZ": "UTC",
    }
