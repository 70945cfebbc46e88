# SPDX-License-Identifier: MIT
"""The three objects of Authelia in Kubernetes: true GETs, and updates that carry the version they were made from."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

import httpx
from kr8s import APITimeoutError, ServerError

from app.domain.json_bounds import VALUES, holds_more
from providers.authelia.cluster.api import Api
from providers.http import BrokenAnswer, TooMuch

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.ports import Upstream
    from app.settings.authelia import AutheliaSettings

_CONFLICT: Final = 409
_READ_TRIES: Final = 3
_CREDENTIALS_TIME: Final = 10.0
"""Seconds; a `KUBECONFIG` may name a program that gets them from somewhere."""
_ERRORS: Final = 400
_SERVER_ERRORS: Final = 500
_MAX_VALUES: Final = 100_000
"""JSON values of an answer. An object of a mebibyte has a tenth of that, with a password for each user."""

_RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"
Object = dict[str, Any]


_KINDS: Final = (("v1", "ConfigMap"), ("v1", "Secret"), ("apps/v1", "DaemonSet"))
_REVIEWS: Final = ("authorization.k8s.io/v1", "selfsubjectaccessreviews")


class KubernetesUnavailable(Exception):
    """The API does not do what it was asked for; the text says what, and holds nothing of any object."""


class Unanswered(KubernetesUnavailable):
    """There is no answer, or not in time."""


class Refused(KubernetesUnavailable):
    """The API has not done it: a status of 400 to 499."""


class VersionConflict(Exception):
    """The object was changed by somebody else since it was read."""


class Cluster:
    """Reads and changes the ConfigMap, the Secret and the DaemonSet, and asks for nothing else."""

    def __init__(
        self, settings: AutheliaSettings, time: float, upstream: Upstream, api: Callable[[str], Api] | None = None
    ) -> None:
        """Take the objects' names, the bound on a call in seconds, what notes calls, and what makes a client.

        That is asked for one of a namespace: in-cluster or by `KUBECONFIG` unless that is given.
        """
        self._time = time
        self._upstream = upstream
        self._namespace = settings.namespace
        self._configmap = f"configmaps/{settings.configmap_name}"
        self._secret = f"secrets/{settings.secret_name}"
        self._daemonset = f"daemonsets/{settings.daemonset_name}"
        self._make = api or (lambda namespace: Api(namespace=namespace))
        self._api: Api | None = None
        self._authenticated = False

    async def configmap(self) -> Object:
        """Return the ConfigMap."""
        return await self._call("GET", "v1", self._configmap)

    async def secret(self) -> Object:
        """Return the Secret."""
        return await self._call("GET", "v1", self._secret)

    async def replace_configmap(self, changed: Object) -> None:
        """Update the ConfigMap from the version in it. Raises VersionConflict."""
        await self._call("PUT", "v1", self._configmap, changed)

    async def replace_secret(self, changed: Object) -> None:
        """Update the Secret from the version in it. Raises VersionConflict."""
        await self._call("PUT", "v1", self._secret, changed)

    async def daemonset(self) -> Object:
        """Return the DaemonSet."""
        return await self._call("GET", "apps/v1", self._daemonset)

    async def restart(self, daemonset: Object, at: str) -> None:
        """Let the DaemonSet replace its pods, as `kubectl rollout restart` does. Raises VersionConflict."""
        patch = {
            "metadata": {"resourceVersion": part(daemonset, "metadata").get("resourceVersion")},
            "spec": {"template": {"metadata": {"annotations": {_RESTARTED_AT: at}}}},
        }
        await self._call("PATCH", "apps/v1", self._daemonset, patch)

    @property
    def objects(self) -> tuple[tuple[str, str, str], ...]:
        """The three: API version, kind, and path in the namespace, `configmaps/authelia-users`."""
        paths = (self._configmap, self._secret, self._daemonset)
        return tuple((version, kind, path) for (version, kind), path in zip(_KINDS, paths, strict=True))

    async def probe(self, method: str, version: str, path: str, body: Object | None = None) -> int:
        """Return the status of the answer to a call; of a change nothing is kept. Raises KubernetesUnavailable."""
        arguments: dict[str, Any] = {} if body is None else {"json": body, "params": {"dryRun": "All"}}
        status, _ = await self._tried(method, version=version, namespace=self._namespace, url=path, **arguments)
        return status

    async def allowed(self, verb: str, version: str, path: str) -> bool | None:
        """Return whether the API says that `verb` is granted on an object; None when it does not say so.

        By a SelfSubjectAccessReview, which is no object that would be kept. Raises KubernetesUnavailable.
        """
        resource, _, name = path.partition("/")
        wanted = {
            "namespace": self._namespace,
            "verb": verb,
            "group": version.rpartition("/")[0],
            "resource": resource,
            "name": name,
        }
        review_version, reviews = _REVIEWS
        review = {
            "apiVersion": review_version,
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        status, answer = await self._tried("POST", version=review_version, url=reviews, json=review)
        try:
            allowed = json.loads(answer)["status"]["allowed"] if status < _ERRORS else None
        except (ValueError, TypeError, KeyError):
            return None
        return allowed if isinstance(allowed, bool) else None

    async def _tried(self, method: str, **arguments: Any) -> tuple[int, bytes]:  # noqa: ANN401 - those of kr8s
        media = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            async with asyncio.timeout(self._time):
                try:
                    api = await self._client()
                except ValueError:
                    raise KubernetesUnavailable("no credentials: no service account's, none by KUBECONFIG") from None
                async with api.call_api(
                    method, headers={"Content-Type": media}, raise_for_status=False, **arguments
                ) as response:
                    return response.status_code, response.content
        except KubernetesUnavailable:
            raise
        except (TimeoutError, APITimeoutError):
            raise KubernetesUnavailable("no answer in time") from None
        except Exception as error:  # noqa: BLE001 - as below
            raise KubernetesUnavailable(type(error).__name__) from None

    async def close(self) -> None:
        """Close the connections."""
        session = getattr(self._api, "_session", None)
        if session is not None:
            await session.aclose()

    async def _client(self) -> Api:
        """Return the client, its credentials read; it is kept however that ends, so that it can be closed."""
        if self._api is None:
            self._api = self._make(self._namespace)
        if not self._authenticated:
            # Not the client itself, as kr8s has it: that asks for `/version`, which hardened clusters refuse, and
            # warns about servers that it does not know.
            async with asyncio.timeout(_CREDENTIALS_TIME):
                await self._api.auth
            self._authenticated = True
        return self._api

    async def _call(self, method: str, version: str, url: str, body: Object | None = None) -> Object:
        for _ in range(_READ_TRIES - 1 if method == "GET" else 0):
            with contextlib.suppress(Unanswered):
                return await self._attempt(method, version, url, body)
        return await self._attempt(method, version, url, body)

    async def _attempt(self, method: str, version: str, url: str, body: Object | None) -> Object:
        # Which kind of object, not which one: names of operations are constants.
        with self._upstream.attempt(f"kubernetes_{method.lower()}_{url.partition('/')[0]}") as attempt:
            try:
                return await self._ask(method, version, url, body)
            except VersionConflict:
                attempt.outcome = "refused"
                raise

    async def _ask(self, method: str, version: str, url: str, body: Object | None) -> Object:
        headers = {"Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json"}
        arguments: dict[str, Any] = {} if body is None else {"json": body}
        what = f"{method} {url}"
        try:
            api = await self._client()
            async with asyncio.timeout(self._time):
                async with api.call_api(
                    method, version=version, namespace=self._namespace, url=url, headers=headers, **arguments
                ) as response:
                    answer = _parsed(response.content)
        except ServerError as error:
            status = error.response.status_code if error.response is not None else 0
            if status == _CONFLICT:
                raise VersionConflict from None
            refused = _ERRORS <= status < _SERVER_ERRORS
            raise (Refused if refused else KubernetesUnavailable)(f"{what}: status {status}") from None
        except (TimeoutError, APITimeoutError):
            raise Unanswered(f"{what}: no answer in time") from None
        except BrokenAnswer as error:
            raise Unanswered(f"{what}: answer is {error}") from None
        except (httpx.HTTPError, OSError) as error:
            raise Unanswered(f"{what}: {type(error).__name__}") from None
        except Exception as error:  # noqa: BLE001 - kr8s also raises plain errors: no configuration, an answer that is no JSON
            raise KubernetesUnavailable(f"{what}: {type(error).__name__}") from None
        if not isinstance(answer, dict):
            raise KubernetesUnavailable(f"{what}: no object")
        return answer


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - whatever was sent
    if holds_more(_MAX_VALUES, body, VALUES):
        raise TooMuch("of too many values")
    return json.loads(body.decode())


def part(thing: Object, *way: str) -> Object:
    """Return the object that stands below another; an empty one when there is none."""
    for name in way:
        inner = thing.get(name)
        thing = inner if isinstance(inner, dict) else {}
    return thing


def restarted_at(daemonset: Object) -> str:
    """Return when the pods were last restarted, by whomever; empty when that is not known."""
    at = part(daemonset, "spec", "template", "metadata", "annotations").get(_RESTARTED_AT)
    return at if isinstance(at, str) else ""
