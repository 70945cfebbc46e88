# SPDX-License-Identifier: MIT
"""Tokens: as they come, and with claims that nobody would sign."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import urlsafe_b64encode
from typing import Any

from app.domain.errors import ServiceError
from app.domain.identity_tokens import unverified_claims, unverified_subject
from app.domain.tokens import bare
from providers.auth0.tokens import jws
from providers.auth0.tokens.verifier import Tokens
from providers.mock.identities import new_identity_tokens
from tests.support.basics import Clock

HEADER = b'{"alg":"RS256","kid":"k"}'
NOW = Clock()


class AnyKey:
    """A key by which everything is signed: the signature is checked by python-jose, the claims by us."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        assert message.count(b".") == 1
        return bool(signature)


class AnyKeys:
    def known(self, kid: str) -> AnyKey:
        assert isinstance(kid, str)
        return AnyKey()

    async def find(self, kid: str) -> AnyKey:
        return self.known(kid)


KEYS: Any = AnyKeys()
IDENTITY_TOKENS = new_identity_tokens(NOW)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


async def _verify(token: str) -> None:
    tokens = Tokens(KEYS, "https://example.auth0.com/", "api", NOW)
    with contextlib.suppress(ServiceError):
        caller = await tokens.verify(token, scope="read:users")
        assert caller.subject.strip()
    with contextlib.suppress(ServiceError):
        assert (await tokens.subject_of(token)).strip()


def read(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    claims, header = _base64(data), _base64(HEADER)
    for token in (text, f"{header}.{claims}.c2ln", f"{claims}.{claims}.c2ln"):
        assert isinstance(bare(token), str)
        looks = jws.looks_like_token(token)
        with contextlib.suppress(jws.NotAToken):
            jws.parse(token)
            assert looks
        assert isinstance(unverified_subject(token), str)
        told = unverified_claims(token)
        assert told is None or isinstance(told, dict)
        with contextlib.suppress(ServiceError):
            IDENTITY_TOKENS.check(token)
        asyncio.run(_verify(token))
