# SPDX-License-Identifier: MIT
"""The Authelia provider, for development clusters: users in NATS Key-Value, Authelia's users file kept in step."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loguru import logger

from app.domain.errors import (
    AliasServiceUnavailable,
    ImpersonationUnavailable,
    PasswordChangeUnsupported,
    ResetLinkUnsupported,
)
from app.domain.ports import Absent, Provider
from app.domain.tasks import beside
from providers.authelia.callers import MAX_ANSWER, AutheliaCallers, AutheliaClients, Userinfo
from providers.authelia.cluster.api import Api
from providers.authelia.cluster.kubernetes import Cluster
from providers.authelia.cluster.pace import Pace
from providers.authelia.cluster.reconciler import Reconciler
from providers.authelia.cluster.restarts import Restarts
from providers.authelia.cluster.sync import Synchronisation
from providers.authelia.codes.mailer import Mailer
from providers.authelia.codes.sends import AllSends
from providers.authelia.codes.signing import SigningKey
from providers.authelia.codes.store import AutheliaVerification, KvCodeStore
from providers.authelia.codes.used_tokens import UsedTokens
from providers.authelia.directory import AutheliaDirectory, AutheliaSubjects
from providers.authelia.examination import (
    examine,
    examine_buckets,
    examine_cluster,
    examine_mail,
    examine_userinfo,
)
from providers.authelia.identities import AutheliaIdentities
from providers.authelia.operations import OpenBuckets, Operations
from providers.authelia.profiles import AutheliaAccounts, AutheliaProfiles
from providers.authelia.start import Start
from providers.authelia.storage.kv import BucketOptions
from providers.authelia.storage.moved import moved
from providers.authelia.storage.nats_bucket import Buckets
from providers.authelia.storage.social import SocialClaims
from providers.authelia.storage.users import Users
from providers.http import open_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nats.aio.client import Client

    from app.domain.findings import Finding
    from app.settings import Settings
    from app.settings.authelia import AutheliaSettings
    from providers import Dependencies
    from providers.authelia.storage.kv import Open

CONTRACT: Final = Pace()
_CODES_TTL: Final = 5 * 60.0
_A_DAY: Final = 24 * 60 * 60.0
_LOOK: Final = 0.05


@asynccontextmanager
async def authelia_provider(
    settings: Settings,
    dependencies: Dependencies,
    now: Callable[[], float] = time.time,
    kubernetes: Callable[[str], Api] | None = None,
    pace: Pace = CONTRACT,
) -> AsyncIterator[Provider]:
    """Open the provider; what needs the connection begins as soon as it stands.

    `kubernetes` makes a client of its API for a namespace, in-cluster or by `KUBECONFIG` unless it is given; `pace`
    holds the times of synchronisation.
    """
    if settings.authelia.trust_unverified_identity_tokens:
        logger.warning(
            "AUTHELIA_TRUST_UNVERIFIED_IDENTITY_TOKENS=true: social identities are linked by tokens that nobody "
            "verifies: for development only"
        )
    kept = _kept(settings, dependencies, now)
    cluster = Cluster(settings.authelia, pace.call, dependencies.upstream, kubernetes)
    restarts = Restarts(kept.claims, time.time, pace)
    reconciler = Reconciler(kept.users, cluster, restarts, pace.hash_cost)
    bucket = settings.authelia.users_bucket
    synchronisation = Synchronisation(reconciler, dependencies.nats, bucket, time.time, pace)
    start = Start(kept.buckets.open_all, kept.signing.keys)
    try:
        async with (
            beside(_begin(dependencies.nats, start, synchronisation), "authelia"),
            open_client(settings.work.max_concurrent_requests, MAX_ANSWER) as http,
        ):
            userinfo = Userinfo(http, settings.authelia.userinfo_url, dependencies.upstream)
            mailer = Mailer(settings.email, dependencies.upstream)
            operations = Operations(kept.buckets, start, mailer, synchronisation)
            yield _capabilities(settings.authelia, kept, AutheliaCallers(userinfo, kept.users), mailer, operations)
    finally:
        await cluster.close()


async def examine_authelia(settings: Settings, dependencies: Dependencies) -> list[Finding]:
    """Tell whether NATS, Kubernetes, userinfo and the mail server give what is needed. Nothing is changed anywhere."""
    cluster = Cluster(settings.authelia, CONTRACT.call, dependencies.upstream)
    try:
        return await examine(
            examine_buckets(dependencies.nats, list(_layout(settings.authelia))),
            examine_cluster(cluster),
            examine_userinfo(settings.authelia.userinfo_url),
            examine_mail(Mailer(settings.email, dependencies.upstream), settings.email),
        )
    finally:
        await cluster.close()


@dataclass(frozen=True)
class _Kept:
    """What is kept in NATS, and the clock that goes with it: seconds since 1970."""

    buckets: OpenBuckets
    names: AutheliaSettings
    users: Users
    signing: SigningKey
    now: Callable[[], float]

    @property
    def ledger(self) -> Open:
        """What opens the bucket of what must outlive a code."""
        return self.buckets.opener(self.names.otp_ledger_bucket)

    @property
    def claims(self) -> Open:
        """What opens the bucket of what must outlive a process; earlier that stood in the ledger."""
        return moved(self.buckets.opener(self.names.claims_bucket), self.ledger)


def _kept(settings: Settings, dependencies: Dependencies, now: Callable[[], float]) -> _Kept:
    opened = Buckets(dependencies.nats, settings.nats.timeout, dependencies.upstream)
    names = settings.authelia
    buckets = OpenBuckets(opened, _layout(names))
    signing = SigningKey(names.signing_key, buckets.opener(names.signing_key_bucket), now)
    users = Users(buckets.opener(names.users_bucket), now, changes=dependencies.changes)
    return _Kept(buckets, names, users, signing, now)


def _capabilities(
    settings: AutheliaSettings, kept: _Kept, callers: AutheliaCallers, mailer: Mailer, operations: Operations
) -> Provider:
    users, ledger = kept.users, kept.ledger
    codes = KvCodeStore(kept.buckets.opener(settings.email_otp_bucket), ledger)
    sends = AllSends(ledger, settings.max_codes_per_hour, kept.now)
    trust = settings.trust_unverified_identity_tokens
    return Provider(
        name="authelia",
        callers=callers,
        directory=AutheliaDirectory(users, callers),
        profiles=AutheliaProfiles(users),
        accounts=AutheliaAccounts(users),
        verification=AutheliaVerification(codes, sends, kept.signing, mailer, kept.now),
        identities=AutheliaIdentities(
            users, kept.signing, UsedTokens(kept.claims), SocialClaims(users, kept.claims), trust_unverified=trust
        ),
        subjects=AutheliaSubjects(users),
        clients=AutheliaClients(users) if settings.client_tokens else None,
        aliases=Absent(AliasServiceUnavailable),
        passwords=Absent(PasswordChangeUnsupported),
        reset_links=Absent(ResetLinkUnsupported),
        impersonation=Absent(ImpersonationUnavailable),
        readiness=operations.readiness,
        measurements=operations.measurements,
        secret=kept.signing.secret,
    )


def _layout(settings: AutheliaSettings) -> dict[str, BucketOptions]:
    replicas = settings.kv_replicas
    options = (
        BucketOptions(settings.users_bucket, history=5, replicas=replicas),
        BucketOptions(settings.email_otp_bucket, ttl=_CODES_TTL, replicas=replicas),
        BucketOptions(settings.otp_ledger_bucket, ttl=_A_DAY, replicas=replicas),
        BucketOptions(settings.claims_bucket, ttl=_A_DAY, replicas=replicas),
        BucketOptions(settings.signing_key_bucket, replicas=replicas),
    )
    return {bucket.name: bucket for bucket in options}


async def _begin(client: Client, start: Start, synchronisation: Synchronisation) -> None:
    """Open the buckets once the connection stands, then synchronise for as long as the provider lives."""
    while not client.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
        await asyncio.sleep(_LOOK)
    await start.open_buckets()
    async with beside(start.keep_key(), "authelia-key"):
        await synchronisation.watch()
