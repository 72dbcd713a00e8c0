"""The provider of identities: the way there (code, PKCE, state, nonce), and what it says then."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from jobs.site import SignIn

_SECONDS = 10
# How long a person may take at the provider.
_WAITING_SECONDS = 600.0
_MOST_WAITING = 5_000
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]


class ProviderError(Exception):
    """The provider cannot be asked, or what it says does not hold."""


@dataclass(frozen=True)
class _Begun:
    """A sign-in under way, bound to one browser."""

    browser: str
    nonce: str
    verifier: str
    back: str
    at: float


class Provider:
    """The provider of a site. Its calls wait for the network: they belong in a thread."""

    def __init__(self, told: SignIn) -> None:
        self._told = told
        self._begun: OrderedDict[str, _Begun] = OrderedDict()
        self._metadata: dict[str, Any] = {}
        self._keys: dict[str, Any] = {}
        self._lock = threading.Lock()

    def begin(self, back: str, browser: str) -> str:
        """The address to which the browser goes; it comes back to `back`. Raises ProviderError."""
        nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        with self._session(back) as session:
            address, state = session.create_authorization_url(
                self._endpoint("authorization_endpoint"), nonce=nonce, code_verifier=verifier
            )
        with self._lock:
            self._begun[state] = _Begun(browser, nonce, verifier, back, time.monotonic())
            while len(self._begun) > _MOST_WAITING:
                self._begun.popitem(last=False)
        return str(address)

    def finish(self, params: Mapping[str, str], browser: str) -> dict[str, Any]:
        """What the provider says of the person who came back. Raises ProviderError for an answer that this
        browser has not asked for, that was used before or came late, and for a token that does not hold.
        """
        with self._lock:
            begun = self._begun.pop(params.get("state", ""), None)
        if begun is None or time.monotonic() - begun.at > _WAITING_SECONDS:
            raise ProviderError("the sign-in is not known, or took too long")
        if not secrets.compare_digest(begun.browser.encode(), browser.encode()):
            raise ProviderError("the sign-in was begun in another browser")
        if params.get("iss", self._told.issuer).rstrip("/") != self._told.issuer:
            raise ProviderError("the answer is of another provider")
        if "code" not in params:
            raise ProviderError("the provider gave no code")
        try:
            with self._session(begun.back) as session:
                token = session.fetch_token(
                    self._endpoint("token_endpoint"), code=params["code"], code_verifier=begun.verifier
                )
                said = self._read(token, begun.nonce)
                return {**self._more(session, said["sub"]), **said}
        except (OAuthError, JoseError, requests.RequestException, KeyError, ValueError) as error:
            raise ProviderError(f"what the provider said does not hold: {type(error).__name__}") from error

    def _session(self, back: str) -> OAuth2Session:
        file = self._told.secret_file
        try:
            secret = file.read_text(encoding="utf-8").strip() if file else None
        except OSError as error:
            raise ProviderError(f"the client's secret cannot be read: {error.strerror}") from error
        return OAuth2Session(
            self._told.client_id,
            secret,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            scope=" ".join(self._told.scopes),
            redirect_uri=back,
            code_challenge_method="S256",
            default_timeout=_SECONDS,
        )

    def _endpoint(self, name: str) -> str:
        if not self._metadata:
            told = _fetched(f"{self._told.issuer}/.well-known/openid-configuration")
            if str(told.get("issuer", "")).rstrip("/") != self._told.issuer:
                raise ProviderError("the provider's own description names another issuer")
            self._metadata = told
        if name not in self._metadata:
            raise ProviderError(f"the provider tells no {name}")
        return str(self._metadata[name])

    def _read(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of the identity token, once everything about it holds."""
        known = self._metadata.get("id_token_signing_alg_values_supported") or _ALGORITHMS
        # Never `none`, and none of those by which the client's own secret would sign.
        registry = JWSRegistry(algorithms=[name for name in known if name in _ALGORITHMS])
        try:
            read = jwt.decode(token["id_token"], self._key_set(), registry=registry)
        except (JoseError, ValueError):
            # The provider may have changed its keys since.
            self._keys = {}
            read = jwt.decode(token["id_token"], self._key_set(), registry=registry)
        claims = CodeIDToken(
            read.claims,
            read.header,
            {
                "iss": {"essential": True, "values": [self._metadata["issuer"]]},
                "aud": {"essential": True, "value": self._told.client_id},
                "nonce": {"essential": True, "value": nonce},
            },
            {"nonce": nonce, "client_id": self._told.client_id, "access_token": token["access_token"]},
        )
        claims.validate(leeway=60)
        return dict(claims)

    def _key_set(self) -> KeySet:
        if not self._keys:
            self._keys = _fetched(self._endpoint("jwks_uri"))
        return KeySet.import_key_set(self._keys)  # type: ignore[arg-type]

    def _more(self, session: OAuth2Session, subject: str) -> dict[str, Any]:
        """What the provider tells of the same person beside his token."""
        address = self._metadata.get("userinfo_endpoint")
        if not address:
            return {}
        answer = session.get(address)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        if told.get("sub") != subject:
            raise ProviderError("the provider tells of another person")
        return told


def _fetched(address: str) -> dict[str, Any]:
    try:
        answer = requests.get(address, timeout=_SECONDS)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told
    except (requests.RequestException, ValueError) as error:
        raise ProviderError(f"the provider cannot be asked: {type(error).__name__}") from error
