"""What `/me` answers."""

from __future__ import annotations

from pydantic import BaseModel

from jobs.access.caller import Role


class Me(BaseModel):
    """Who asks. `audience`: the file that is open to him; `may`: what he may ask; `csrf_token`: what his
    writes carry as `x-csrf-token`.
    """

    role: Role
    role_zh: str
    name: str
    subject: str
    unit_code: str
    district_code: str
    via: str
    audience: str | None
    school_code: str
    sees_pupils: bool
    abilities: list[str] | None
    may: list[str]
    can_sign_in: bool
    csrf_token: str
    synthetic: bool
