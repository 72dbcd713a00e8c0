"""The settings of what a site serves: how people sign in, how the portal is reached, what the door takes.

What a setting means is said in its description here, as in `jobs.site`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Part(BaseModel):
    """A part of a site's file: unknown keys are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SignIn(Part):
    """The provider of identities by which people sign in (OpenID Connect), and what its claims mean here."""

    issuer: Annotated[str, Field(description="Address of the provider; https, but on this machine")]
    client_id: Annotated[str, Field(description="The name under which the provider knows this portal")]
    secret_file: Annotated[
        Path | None, Field(description="File with the client's secret, for its owner alone; none without one")
    ] = None
    button_zh: Annotated[str, Field(description="What the page of sign-in calls it")] = "统一身份认证"
    scopes: Annotated[tuple[str, ...], Field(description="What the provider is asked for")] = (
        "openid",
        "profile",
    )
    name: Annotated[str, Field(description="Claim with the person's name, such as `ryxm`")] = "name"
    role: Annotated[str, Field(description="Claim that decides the role, such as `jslx`")] = "role"
    roles: Annotated[
        Mapping[str, Literal["sender", "school", "district", "city", "steward"]],
        Field(description="Value of that claim -> role; who has none of them may not sign in"),
    ] = {}
    unit: Annotated[str, Field(description="Claim with the code of school, district or office: `jgdm`")] = (
        "unit_code"
    )
    district: Annotated[
        str, Field(description="Claim with the district's code; without it a district's unit is its code")
    ] = "district_code"

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        is_here = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
            raise ValueError("must be an https address")
        return issuer.rstrip("/")


class Portal(Part):
    """How the portal is reached from other machines, by a proxy before it."""

    hosts: Annotated[tuple[str, ...], Field(description="Its names, beside this machine's own")] = ()
    root_path: Annotated[
        str, Field(pattern=r"^(/[\w.~-]+)*$", description="What the proxy cuts off paths")
    ] = ""
    proxies: Annotated[tuple[str, ...], Field(description="Whose X-Forwarded-… headers are believed")] = ()


class Door(Part):
    """What one hand-in may bring, and what its verdict may take."""

    file_mb: Annotated[int, Field(ge=1, le=512, description="Megabytes of one file")] = 100
    files: Annotated[int, Field(ge=1, le=1000, description="Files of one hand-in")] = 100
    total_mb: Annotated[int, Field(ge=1, le=4096, description="Megabytes of one hand-in")] = 300
    verdict_seconds: Annotated[
        int, Field(ge=1, description="Seconds after which the verdict of one delivery is left to the run")
    ] = 600
