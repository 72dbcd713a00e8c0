"""Put the published data and one Chinese dashboard into Superset, or bring them up to date.

    superset-env/bin/python infra/superset/provision.py --url postgresql://bi@localhost/education --password …

Runs in Superset's own environment and talks to its REST API, in process: no server needs to be up. What is
there under the same name is changed in place, so that it can be run after each release.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATABASE = "教育数据平台"
DASHBOARD, SLUG = "教育数据总览", "edulake"
# Rows of a dashboard's grid are twelve columns wide.
_GRID = 12


class Superset:
    """The REST API of the Superset whose configuration SUPERSET_CONFIG_PATH names."""

    def __init__(self, user: str, password: str) -> None:
        from superset.app import create_app

        self._client = create_app().test_client()
        self._headers: dict[str, str] = {}
        login = {"username": user, "password": password, "provider": "db", "refresh": False}
        token = self._ask("post", "security/login", login)["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self._headers["X-CSRFToken"] = self._ask("get", "security/csrf_token/")["result"]

    def _ask(self, verb: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = getattr(self._client, verb)(f"/api/v1/{path}", json=body, headers=self._headers)
        if answer.status_code >= 400:
            raise SystemExit(f"Superset refused {verb} {path}: {answer.get_data(as_text=True)[:500]}")
        return answer.get_json()

    def _find(self, kind: str, column: str, value: str) -> int | None:
        query = json.dumps({"filters": [{"col": column, "opr": "eq", "value": value}]})
        found = self._ask("get", f"{kind}/?q={query}")["result"]
        return found[0]["id"] if found else None

    def put(self, kind: str, column: str, body: dict[str, Any], *, fixed: tuple[str, ...] = ()) -> int:
        """Make the object whose `column` is as in the body, or change it; `fixed` cannot be changed later."""
        number = self._find(kind, column, body[column])
        if number is None:
            return self._ask("post", f"{kind}/", body)["id"]
        self._ask("put", f"{kind}/{number}", {name: body[name] for name in body if name not in fixed})
        return number

    def columns(self, dataset: int) -> list[dict[str, Any]]:
        """The columns of a dataset, read from the database again."""
        self._ask("put", f"dataset/{dataset}/refresh")
        return self._ask("get", f"dataset/{dataset}")["result"]["columns"]

    def name_columns(self, dataset: int, titles: dict[str, str]) -> None:
        """Give the columns of a dataset their Chinese names."""
        kept = ("id", "column_name", "type", "is_dttm", "filterable", "groupby")
        named = [
            {key: column[key] for key in kept} | {"verbose_name": titles.get(column["column_name"], "")}
            for column in self.columns(dataset)
        ]
        self._ask("put", f"dataset/{dataset}?override_columns=true", {"columns": named})


def titles(url: str, schema: str) -> dict[str, dict[str, str]]:
    """View -> column -> its Chinese name: what stands before the dash in its comment."""
    import psycopg2

    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select c.table_name, c.column_name,"
            " split_part(col_description(format('%%I.%%I', c.table_schema, c.table_name)::regclass,"
            " c.ordinal_position), ' — ', 1)"
            " from information_schema.columns c where c.table_schema = %s",
            [schema],
        )
        found: dict[str, dict[str, str]] = {}
        for table, column, title in cursor.fetchall():
            found.setdefault(table, {})[column] = title or ""
    return found


def is_synthetic(url: str, schema: str) -> bool:
    """Whether the release that the views show is of a made-up city."""
    import psycopg2

    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f'select bool_or(is_synthetic) from "{schema}".release where superseded_at is null')
        return bool(cursor.fetchone()[0])


def provision(api: Superset, url: str, schema: str) -> None:
    """The database, a dataset a table, the charts' datasets, the charts, and the dashboard."""
    connected = {"database_name": DATABASE, "sqlalchemy_uri": url, "expose_in_sqllab": True}
    database = api.put("database", "database_name", connected)
    for table, columns in sorted(titles(url, schema).items()):
        if table != "release":
            made = {"database": database, "schema": schema, "table_name": table}
            api.name_columns(api.put("dataset", "table_name", made, fixed=("database", "schema")), columns)
    charts = []
    for chart in json.loads((HERE / "charts.json").read_text(encoding="utf-8")):
        asked = {
            "database": database,
            "schema": schema,
            "table_name": chart["name"],
            "sql": " ".join(chart["sql"]).replace("{schema}", schema),
        }
        dataset = api.put("dataset", "table_name", asked, fixed=("database", "schema"))
        api.columns(dataset)
        params = chart["params"] | {"viz_type": chart["viz_type"], "datasource": f"{dataset}__table"}
        body = {
            "slice_name": chart["name"],
            "viz_type": chart["viz_type"],
            "datasource_id": dataset,
            "datasource_type": "table",
            "params": json.dumps(params),
        }
        charts.append((api.put("chart", "slice_name", body), chart))
    title = DASHBOARD + ("（合成数据）" if is_synthetic(url, schema) else "")
    board = {"slug": SLUG, "dashboard_title": title, "published": True}
    board["position_json"] = json.dumps(layout(title, charts))
    number = api.put("dashboard", "slug", board)
    for identity, _ in charts:
        api.put("chart", "id", {"id": identity, "dashboards": [number]}, fixed=("id",))
    print(f"{len(charts)} charts on /superset/dashboard/{SLUG}/")


def layout(title: str, charts: list[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """The dashboard's grid: charts one beside the other until a row is full."""
    grid: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": title}},
    }
    rows: list[list[str]] = [[]]
    used = 0
    for number, chart in charts:
        if used + chart["width"] > _GRID:
            rows.append([])
            used = 0
        used += chart["width"]
        key = f"CHART-{number}"
        rows[-1].append(key)
        grid[key] = {
            "type": "CHART",
            "id": key,
            "children": [],
            "parents": ["ROOT_ID", "GRID_ID", f"ROW-{len(rows)}"],
            "meta": {"chartId": number, "width": chart["width"], "height": 50, "sliceName": chart["name"]},
        }
    for at, keys in enumerate(rows, start=1):
        grid[f"ROW-{at}"] = {
            "type": "ROW",
            "id": f"ROW-{at}",
            "children": keys,
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        grid["GRID_ID"]["children"].append(f"ROW-{at}")
    return grid


def main() -> None:
    """Read the command line; see the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--url", required=True, help="The database, with a login of a role such as edulake_city."
    )
    parser.add_argument("--schema", default="edulake", help="Schema of the views. Default: edulake.")
    parser.add_argument("--user", default="admin", help="A user of Superset who may make dashboards.")
    parser.add_argument(
        "--password", default=os.environ.get("SUPERSET_PASSWORD"), help="Default: SUPERSET_PASSWORD."
    )
    given = parser.parse_args()
    if not given.password:
        parser.error("give --password, or set SUPERSET_PASSWORD")
    provision(Superset(given.user, given.password), given.url, given.schema)


if __name__ == "__main__":
    main()
