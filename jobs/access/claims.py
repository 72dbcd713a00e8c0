"""From what a provider of identities says of a person to a caller; or why he is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.access.caller import Caller, Role
from jobs.site import SignIn


class NobodyError(Exception):
    """A person who is known to the provider and has no role here; why, in Chinese and English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


def caller(told: SignIn, claims: Mapping[str, Any]) -> Caller:
    """Who a person is here. Raises NobodyError for one without a role, unit or district that it needs."""
    subject = _text(claims.get("sub"))
    if not subject:
        raise NobodyError("认证平台没有给出账号标识。", "the provider gave no `sub`")
    roles = [told.roles[value] for value in _values(claims.get(told.role)) if value in told.roles]
    if not roles:
        raise NobodyError(
            "您的账号尚未分配本平台的角色，请联系市级数据管理员。",
            f"the claim `{told.role}` names no role of this site",
        )
    # One who has several asks as the one that stands first in the site's settings.
    role = Role(min(roles, key=list(told.roles.values()).index))
    unit, district = _text(claims.get(told.unit)), _text(claims.get(told.district))
    if role == Role.DISTRICT:
        unit = district = district or unit
    if role in (Role.DISTRICT, Role.SCHOOL, Role.SENDER) and not unit:
        raise NobodyError(
            "您的账号没有所属机构代码，请联系统一身份认证管理员补全。",
            f"the role {role} needs a unit, and the claim `{told.unit}` is empty",
        )
    if role == Role.SCHOOL and not district:
        raise NobodyError(
            "您的账号没有所属区代码，请联系统一身份认证管理员补全。",
            f"the role {role} needs a district, and the claim `{told.district}` is empty",
        )
    if role in (Role.CITY, Role.STEWARD):
        district = ""
    return Caller(role, subject, _text(claims.get(told.name)), unit, district, via="session")


def _values(claim: Any) -> list[str]:
    """A claim's values: one, a list, or several in one text."""
    parts = claim if isinstance(claim, list | tuple) else _text(claim).replace(";", ",").split(",")
    return [_text(part) for part in parts if _text(part)]


def _text(claim: Any) -> str:
    return str(claim).strip() if isinstance(claim, str | int) and not isinstance(claim, bool) else ""
