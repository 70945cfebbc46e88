# SPDX-License-Identifier: MIT
"""The provider's metrics and readiness, and the buckets that must be open before it is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.authelia.cluster.sync import Synchronisation
    from providers.authelia.codes.mailer import Mailer
    from providers.authelia.start import Start
    from providers.authelia.storage.kv import Bucket, BucketOptions, Open
    from providers.authelia.storage.nats_bucket import Buckets


class OpenBuckets:
    """The buckets, each opened, and made where it does not exist, when it is first needed."""

    def __init__(self, buckets: Buckets, layout: Mapping[str, BucketOptions]) -> None:
        """Take the connection and what each bucket is like."""
        self.buckets = buckets
        self._layout = layout
        self._open: dict[str, Bucket] = {}

    @property
    def missing(self) -> list[str]:
        """The buckets that have not been open yet."""
        return sorted(self._layout.keys() - self._open.keys())

    def opener(self, name: str) -> Open:
        """Return what gives the bucket. Raises ProviderUnavailable when called."""

        async def opened() -> Bucket:
            if name not in self._open:
                self._open[name] = await self.buckets.ensure(self._layout[name])
            return self._open[name]

        return opened

    async def open_all(self) -> None:
        """Open every bucket. Raises ProviderUnavailable."""
        for name in self._layout:
            await self.opener(name)()


class Operations:
    """Readiness and measurements."""

    def __init__(self, buckets: OpenBuckets, start: Start, mailer: Mailer, synchronisation: Synchronisation) -> None:
        """Take the parts that are shown."""
        self._buckets = buckets
        self._start = start
        self._mailer = mailer
        self._synchronisation = synchronisation

    def readiness(self) -> Mapping[str, str]:
        """Return the buckets, which decide, and what is shown only: the signing key, and Kubernetes."""
        missing = ", ".join(self._buckets.missing)
        return {
            "storage": missing and f"not open: {missing}",
            "signing key?": self._start.key_fault,
            "kubernetes?": self._synchronisation.fault,
        }

    def measurements(self) -> Mapping[str, float]:
        """Return counters and gauges by metric name."""
        reconciler = self._synchronisation.reconciler
        return {
            "auth_service_sync_last_success_timestamp_seconds": self._synchronisation.succeeded_at,
            "auth_service_sync_pending_changes": self._synchronisation.pending,
            "auth_service_sync_failures_total": self._synchronisation.failures,
            "auth_service_sync_conflicts_total": reconciler.conflicts,
            "auth_service_sync_skipped_users": reconciler.skipped,
            "auth_service_sync_restarts_total": reconciler.restarts,
            "auth_service_kv_conflicts_total": self._buckets.buckets.conflicts,
            "auth_service_kv_errors_total": self._buckets.buckets.errors,
            "auth_service_mails_sent_total": self._mailer.sent,
            "auth_service_mails_refused_total": self._mailer.refused,
        }
