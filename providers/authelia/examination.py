# SPDX-License-Identifier: MIT
"""Looks at what the provider needs of NATS, Kubernetes, userinfo and the mail server, and changes nothing there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aiosmtplib
import httpx
import nats.errors
import nats.js.errors
from nats.js.api import Header

from app.domain.findings import Finding, bad, good, unknown
from providers.authelia.callers import MAX_ANSWER
from providers.authelia.cluster.kubernetes import KubernetesUnavailable
from providers.authelia.codes.mailer import NoTransportSecurity
from providers.http import BrokenAnswer, open_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from nats.aio.client import Client
    from nats.js import JetStreamContext

    from app.settings.authelia import EmailSettings
    from providers.authelia.cluster.kubernetes import Cluster
    from providers.authelia.codes.mailer import Mailer

_NO_JETSTREAM: Final = (
    nats.js.errors.ServiceUnavailableError,
    nats.js.errors.NoStreamResponseError,
    nats.errors.NoRespondersError,
)

TIME: Final = 10.0
"""Seconds in which everything is looked at; all at once."""

_ATTEMPT: Final = 5.0
_KIB: Final = 1024
_ROOM: Final = 0.9
"""Part of a bucket beyond which callers' requests are refused; the rest is for changes of what stands there."""

_NOBODYS_TOKEN: Final = "authelia_at_check"  # noqa: S105 - that is the point
_NO_SUCH_VERSION: Final = "1"
_VERBS: Final = {"update": "PUT", "patch": "PATCH"}
_REFUSED: Final = (401, 403)
_NOT_FOUND: Final = 404
_UNTOLD: Final = 405
_SERVER_ERRORS: Final = 500
_OTHER_STREAM: Final = 10060
"""What JetStream answers where another stream than that of the subject was expected."""


async def examine(*parts: Awaitable[list[Finding]]) -> list[Finding]:
    """Return what all of them found, in their order."""
    return [finding for found in await asyncio.gather(*parts) for finding in found]


async def examine_buckets(client: Client, names: Sequence[str]) -> list[Finding]:
    """Tell of each bucket whether it is there, can be read and can be written to."""
    return list(await asyncio.gather(*(_bucket(client, name) for name in names)))


async def _bucket(client: Client, name: str) -> Finding:
    what = f"NATS KV {name}"
    if not client.is_connected:
        return bad(what, "NATS is out of reach")
    try:
        async with asyncio.timeout(TIME):
            return await _used(client.jetstream(timeout=_ATTEMPT), what, name)
    except nats.js.errors.NotFoundError:
        return good(what, "not there yet: the service makes it at its start")
    except (OSError, nats.errors.Error) as error:
        return bad(what, _trouble(error))


def _trouble(error: Exception) -> str:
    if isinstance(error, TimeoutError | nats.errors.TimeoutError):
        return "no answer in time: is this user permitted to ask JetStream?"
    if isinstance(error, _NO_JETSTREAM):
        return "JetStream is not there, or not enabled for this account"
    if isinstance(error, nats.js.errors.APIError):
        return f"JetStream refuses, with its error {error.err_code}"
    return type(error).__name__


async def _used(jetstream: JetStreamContext, what: str, name: str) -> Finding:
    stream = f"KV_{name}"
    info = await jetstream.stream_info(stream)
    # What expects another stream is refused. That tells that publishing is permitted, and nothing is changed by it.
    headers = {Header.EXPECTED_STREAM.value: f"{stream}-other"}
    try:
        await jetstream.publish(f"$KV.{name}.check", b"", headers=headers, timeout=_ATTEMPT)
    except nats.js.errors.APIError as error:
        if error.err_code != _OTHER_STREAM:
            raise
    used, most = info.state.bytes, info.config.max_bytes or -1
    told = f"{info.state.messages} messages, {used / _KIB:.1f} KiB, replicas: {info.config.num_replicas}"
    if 0 < most < used / _ROOM:
        return bad(what, f"full: {told}; maxBytes: {most / _KIB:.1f} KiB")
    return good(what, told)


async def examine_cluster(cluster: Cluster) -> list[Finding]:
    """Tell of each object whether each right is there: `get` by getting it, the others by asking, or by a dry run."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout(TIME):
            # One after the other: when the first is not answered, none will be.
            for version, kind, path in cluster.objects:
                found += await _object(cluster, version, kind, path)
    except (TimeoutError, KubernetesUnavailable) as error:
        why = f"the Kubernetes API is out of reach: {error or 'no answer in time'}"
        rights = [_right(verb, path) for _, _, path in cluster.objects for verb in ("get", *_VERBS)]
        found += [bad(right, why) for right in rights[len(found) :]]
    return found


async def _object(cluster: Cluster, version: str, kind: str, path: str) -> list[Finding]:
    status = await cluster.probe("GET", version, path)
    found = [_told(_right("get", path), status)]
    for verb in _VERBS:
        right = _right(verb, path)
        allowed = await cluster.allowed(verb, version, path)
        if allowed is None:
            found.append(_told(right, await _dry_run(cluster, verb, version, kind, path), tried=True))
        else:
            found.append(good(right, "granted") if allowed else bad(right, "not granted"))
    return found


def _right(verb: str, path: str) -> str:
    return f"Kubernetes {verb} {path}"


async def _dry_run(cluster: Cluster, verb: str, version: str, kind: str, path: str) -> int:
    # Of a version that is none, so that nothing would come of it even where a dry run is not known: a conflict.
    metadata = {"name": path.partition("/")[2], "resourceVersion": _NO_SUCH_VERSION}
    body = {"apiVersion": version, "kind": kind, "metadata": metadata}
    return await cluster.probe(_VERBS[verb], version, path, body)


def _told(right: str, status: int, *, tried: bool = False) -> Finding:
    """Return what an answer's status says of a right; what is refused for other reasons was let through."""
    if status in _REFUSED:
        return bad(right, f"not granted: status {status}")
    if status == _NOT_FOUND and not tried:
        return bad(right, "there is no such object")
    if status == _UNTOLD or status >= _SERVER_ERRORS:
        return unknown(right, f"status {status}") if tried else bad(right, f"status {status}")
    return good(right, "granted")


async def examine_userinfo(url: str) -> list[Finding]:
    """Tell whether the endpoint answers as userinfo does: it refuses a token that is none (RFC 6750, section 3.1)."""
    what = "userinfo"
    headers = {"Authorization": f"Bearer {_NOBODYS_TOKEN}", "Accept-Encoding": "identity"}
    try:
        async with (
            asyncio.timeout(TIME),
            open_client(1, MAX_ANSWER) as client,
        ):
            # With the provider's own client: what it trusts, and what it takes for an answer, is what counts.
            status = (await client.get(url, headers=headers)).status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, BrokenAnswer) as error:
        # The kind of the cause: by itself this client calls most of what goes wrong a time-out.
        return [bad(what, f"out of reach: {_kind(error)}")]
    if status == httpx.codes.UNAUTHORIZED:
        return [good(what, "refuses a token that is none, as it should")]
    return [bad(what, f"answers a token that is none with status {status}, not 401: is AUTHELIA_OIDC_USERINFO_URL it?")]


async def examine_mail(mailer: Mailer, settings: EmailSettings) -> list[Finding]:
    """Tell whether the mail server is there and takes what the settings say, up to where a mail would begin."""
    what = "SMTP"
    where = f"{settings.host}:{settings.port}"
    try:
        return [good(what, f"{where}: {await mailer.greet()}")]
    except NoTransportSecurity:
        return [bad(what, f"{where}: offers no STARTTLS, without which the password is not sent")]
    except aiosmtplib.SMTPResponseException as error:
        return [bad(what, f"{where}: {type(error).__name__}, code {error.code}")]
    except Exception as error:  # noqa: BLE001 - the library also raises plain errors, and each means that no mail would go
        return [bad(what, f"{where}: {_kind(error)}")]


def _kind(error: Exception) -> str:
    """Return what kind of error it is, from the outside in; its words may repeat what was sent."""
    kinds = [type(error).__name__]
    if (cause := error.__cause__ or error.__context__) is not None:
        kinds.append(type(cause).__name__)
    return ": ".join(kinds)
