"""`./edulake access`: keys of machines and codes of families."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from jobs import settings as site_settings
from jobs.access import codes
from jobs.access.caller import Caller, Role
from jobs.access.trail import Trail
from jobs.cli.options import Site
from jobs.screen import console
from jobs.settings import Settings, UserError

app = typer.Typer(help="访问授权 Keys of machines and codes of families.", no_args_is_help=True)
key_app = typer.Typer(help="机器密钥 Keys by which machines ask and hand in.", no_args_is_help=True)
code_app = typer.Typer(help="家长查询码 Codes by which a family sees one pupil.", no_args_is_help=True)
app.add_typer(key_app, name="key")
app.add_typer(code_app, name="code")


def _noted(settings: Settings, act: str, subject: str, **details: str | int) -> None:
    trail = Trail(settings)
    trail.write(Caller(Role.STEWARD, f"os-{getpass.getuser()}", via="nothing"), act, subject, details)
    trail.close()


@key_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What it is for, such as 朝阳区数据平台.")],
    role: Annotated[Role, typer.Option(help="sender, school, district, city or steward.")],
    unit: Annotated[str, typer.Option(help="Code of the school, district or office for which it asks.")] = "",
    district: Annotated[str, typer.Option(help="Code of the district in which a school lies.")] = "",
    can: Annotated[
        list[str] | None, typer.Option(help="read, hand-in, write or share; may be repeated. Default: read.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="For how many days it is good.")] = 365,
    per_minute: Annotated[int, typer.Option(min=1, help="How many requests a minute it may make.")] = 600,
    site: Site = None,
) -> None:
    """Make a key and show it once: send it as `Authorization: Bearer <key>`.

    新建机器密钥，仅显示一次。

    Example: `./edulake access key add 朝阳区数据平台 --role district --unit 110105 --days 90`
    """
    from jobs.access import keys
    from jobs.access.store import open_store

    settings = site_settings.load(site)
    wanted = keys.Wanted(name, role, unit, district, tuple(can or ["read"]), days, per_minute)
    made, text = keys.add(open_store(settings), wanted, getpass.getuser())
    _noted(settings, "key-added", made.caller.subject, for_role=str(role), for_unit=unit, days=days)
    console.say(f"Key {made.id}, good until {made.ends_at}. It is shown this once:")
    console.say(text)


@key_app.command("list")
def list_keys(site: Site = None) -> None:
    """List the keys, without their secrets. 列出密钥。"""
    from jobs.access import keys
    from jobs.access.store import open_store

    heads = ("id", "name", "role", "unit", "can", "a minute", "made by", "until", "revoked")
    rows = [
        (
            *(key.id, key.name, str(key.role), key.unit_code, " ".join(key.abilities), key.per_minute),
            *(key.made_by, key.ends_at, key.revoked_at),
        )
        for key in keys.listed(open_store(site_settings.load(site)))
    ]
    console.table(heads, rows, breakable=("name",))


@key_app.command("revoke")
def revoke_key(
    id: Annotated[str, typer.Argument(help="The key's id, as `access key list` shows it.")], site: Site = None
) -> None:
    """Revoke a key: its next request is refused, also by a portal that runs. 吊销密钥，立即生效。"""
    from jobs.access import keys
    from jobs.access.store import open_store

    settings = site_settings.load(site)
    revoked = keys.revoke(open_store(settings), id)
    _noted(settings, "key-revoked", revoked.caller.subject)
    console.say(f"Key {id} ({revoked.name}) is revoked.")


@code_app.command("add")
def add_code(
    pupil: Annotated[str, typer.Option(help="The pupil's key in the lake (pupil_key).")],
    days: Annotated[int, typer.Option(min=1, max=366, help="For how many days it is good.")] = 30,
    site: Site = None,
) -> None:
    """Make a code for one pupil and show it once; former codes of the pupil end.

    为一名学生生成家长查询码，仅显示一次；该学生原有查询码随即失效。
    """
    from jobs.access.store import open_store

    settings = site_settings.load(site)
    code, text = codes.add(open_store(settings), _pupil(settings, pupil), getpass.getuser(), days)
    _noted(settings, "code-added", code.caller.subject, for_unit=code.school_code, days=days)
    console.say(f"Code {code.prefix}, good until {code.ends_at}. It is shown this once:")
    console.say(text)


def _pupil(settings: Settings, pupil_key: str) -> codes.Pupil:
    from jobs.publish import release as releases

    published = releases.current(settings)
    if published is not None:
        with releases.open_release(published, "full") as connection:
            tables = published.manifest["tables"]
            for name in sorted(name for name, told in tables.items() if told["pupil_rows"]):
                found = connection.execute(
                    f"select school_code, district_code from {name} where pupil_key = ?"
                    " and school_code is not null and district_code is not null"
                    " order by school_year_start desc limit 1",
                    [pupil_key],
                ).fetchone()
                if found:
                    return codes.Pupil(pupil_key, *found)
    raise UserError("no table of the release has this pupil.", "Look the key up in dim_pupil.")


@code_app.command("list")
def list_codes(
    school: Annotated[str, typer.Option(help="Only those of this school.")] = "", site: Site = None
) -> None:
    """List the codes, without their secrets and pupils. 列出家长查询码。"""
    from jobs.access.store import open_store

    heads = ("code", "school", "district", "made by", "made", "until", "revoked")
    rows = [
        (of.prefix, of.school_code, of.district_code, of.made_by, of.made_at, of.ends_at, of.revoked_at)
        for of in codes.listed(open_store(site_settings.load(site)), school)
    ]
    console.table(heads, rows)


@code_app.command("revoke")
def revoke_code(
    prefix: Annotated[str, typer.Argument(help="The first four signs of the code.")], site: Site = None
) -> None:
    """Revoke a code: whoever is signed in by it is out at once. 吊销查询码，立即生效。"""
    from jobs.access.store import open_store

    settings = site_settings.load(site)
    code = codes.revoke(open_store(settings), prefix.upper())
    _noted(settings, "code-revoked", code.caller.subject)
    console.say(f"Code {code.prefix} is revoked.")
