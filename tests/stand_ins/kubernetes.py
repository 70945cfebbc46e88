# SPDX-License-Identifier: MIT
"""A Kubernetes API of three objects: get, put, merge patch, versions that conflict, verbs that are granted or not."""

from __future__ import annotations

import asyncio
import base64
import copy
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import web

from tests.stand_ins.http import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONFIGMAP = "configmaps/authelia-users"
SECRET = "secrets/authelia-users"
DAEMONSET = "daemonsets/lfx-platform-authelia"
FILE = "users_database.yml"
VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}


@dataclass
class Kubernetes:
    """The objects by resource and name, what was asked, and how the API shall misbehave: path → status, or `hang`."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    granted: set[str] = field(default_factory=lambda: {"get", "update", "patch"})
    faults: dict[str, int | str] = field(default_factory=dict)
    once: dict[str, int | str] = field(default_factory=dict)
    """Faults of the next call only."""
    denied: set[tuple[str, str]] = field(default_factory=set)
    """Verbs that are not granted on one path."""
    reviews: bool | int = True
    """Whether the API says what is granted, or the status with which it refuses to."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    hung: list[tuple[str, str]] = field(default_factory=list)
    """What is not answered."""
    server_version: Any = field(default_factory=lambda: {"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
    """What `/version` answers: an object, a status, `garbage` or `hang`."""
    versions: int = 100
    url: str = ""

    def __post_init__(self) -> None:
        self.put(CONFIGMAP, {"kind": "ConfigMap", "data": {FILE: "users: {}\n"}})
        self.put(SECRET, {"kind": "Secret", "data": {}})
        self.put(DAEMONSET, {"kind": "DaemonSet", "spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}})

    def put(self, path: str, value: dict[str, Any]) -> dict[str, Any]:
        self.versions += 1
        value = copy.deepcopy(value)
        value.setdefault("metadata", {}).update(name=path.partition("/")[2], resourceVersion=str(self.versions))
        self.objects[path] = value
        return value

    @property
    def file(self) -> str:
        return self.objects[CONFIGMAP]["data"][FILE]

    @file.setter
    def file(self, text: str) -> None:
        data = self.objects[CONFIGMAP]["data"]
        self.put(CONFIGMAP, {**self.objects[CONFIGMAP], "data": {**data, FILE: text}})

    @property
    def users(self) -> dict[str, Any]:
        return yaml.safe_load(self.file)["users"]

    def password(self, username: str) -> str:
        return base64.b64decode(self.objects[SECRET]["data"][username]).decode()

    @property
    def restarts(self) -> int:
        return self.calls.count(("patch", DAEMONSET))

    def count(self, verb: str, path: str) -> int:
        return self.calls.count((verb, path))

    async def version(self, _: web.Request) -> web.Response:
        self.calls.append(("version", ""))
        if self.server_version == "hang":
            await asyncio.sleep(60)
        if isinstance(self.server_version, int):
            return _status(self.server_version)
        if self.server_version == "garbage":
            return web.Response(text="<html>", content_type="text/html")
        return web.json_response(self.server_version)

    async def answer(self, request: web.Request) -> web.Response:  # noqa: C901, PLR0911 - one for each way to misbehave
        path, verb = request.match_info["path"], VERBS[request.method]
        body = None if verb == "get" else await request.json()
        named = f"{verb} {path}"
        fault = self.once.pop(named, None) or self.faults.get(path) or self.faults.get(named)
        if fault == "garbage":
            return web.Response(text="<html>", content_type="text/html")
        if fault == "list":
            return web.json_response([])
        if fault == "values":
            return web.Response(text='{"a":[' + "[]," * 200_000 + "1]}", content_type="application/json")
        if fault == "lost":
            # Done, and never answered: what a connection that breaks looks like.
            self._do(verb, path, body)
            self.calls.append((verb, path))
            request.transport.abort()
        if fault == "hang":
            self.hung.append((verb, path))
            await asyncio.sleep(60)
        if isinstance(fault, int):
            return _status(fault)
        if not self._may(verb, path) or (verb == "get" and "/" not in path):
            self.calls.append(("refused", f"{verb} {path}"))
            return _status(403)
        if path not in self.objects:
            return _status(404)
        if verb != "get":
            sent = (body or {}).get("metadata", {}).get("resourceVersion")
            if sent != self.objects[path]["metadata"]["resourceVersion"]:
                self.calls.append(("conflict", path))
                return _status(409)
        if request.query.get("dryRun") != "All":
            self._do(verb, path, body)
        self.calls.append((verb, path))
        return web.json_response(self.objects[path])

    def _may(self, verb: str, path: str) -> bool:
        return verb in self.granted and (verb, path) not in self.denied

    async def review(self, request: web.Request) -> web.Response:
        if not isinstance(self.reviews, bool):
            return _status(self.reviews)
        asked = (await request.json())["spec"]["resourceAttributes"]
        group = {"daemonsets": "apps"}.get(asked["resource"], "")
        right = (asked["group"], asked["namespace"]) == (group, "lfx")
        allowed = right and self._may(asked["verb"], f"{asked['resource']}/{asked['name']}")
        return web.json_response({"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}}, status=201)

    def _do(self, verb: str, path: str, body: Any) -> None:
        if verb == "get":
            return
        self.put(path, _merged(self.objects[path], body) if verb == "patch" else body)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Kubernetes]:
        app = web.Application()
        for version in ("/version", "/version/"):
            app.router.add_get(version, self.version)
        app.router.add_post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self.review)
        for root in ("/api/v1", "/apis/apps/v1"):
            app.router.add_route("*", root + "/namespaces/lfx/{path:.+}", self.answer)
        async with listening(app) as self.url:
            yield self


def _merged(value: Any, patch: Any) -> Any:
    """JSON merge patch, RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for key, inner in patch.items():
        if inner is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), inner)
    return merged


def _status(code: int) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": f"status {code}"}, status=code)
