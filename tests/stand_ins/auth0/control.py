# SPDX-License-Identifier: MIT
"""Ruling the tenant from another process: JSON over plain HTTP on a loopback port of its own.

GET  /stats      calls by operation, in flight, connections, faults in force
GET  /mails      what was "sent"
GET  /exchanges  what was received: operation, path, status
POST /do         {"latency_ms": 100, "faults": [{"kind": "reply", "on": "users.get", "status": 503}], "reset": true,
                  "clear": true, "rotate": true, "revoke_m2m": true, "skew": 31, "refuse": true, "lagging": true,
                  "certificate": "expired", "limits": {"read": {"calls": 10, "seconds": 1}},
                  "bucket": {"rate": 15, "burst": 50},
                  "change": {"ada": {"nickname": "Countess"}}, "remove": ["ada"], "add": {"auth0|new": {"email": "…"}},
                  "events": {"heartbeat": 1, "close": true, "expire": true, "connections": 1},
                  "odd": {"ada": {"email_verified": "true", "identities.1.profileData.name": ["Ada"]}}}
POST /token      {"who": "ada", "scopes": […], …} → {"access_token": …}; with "subject": {"id_token": …}
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.stand_ins.auth0.server import TenantServer


class Control:
    """The control endpoint of a server."""

    def __init__(self, server: TenantServer) -> None:
        self._server = server
        self._runner: web.ServerRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Begin to listen, on a free port."""
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            order = json.loads(await request.read() or b"{}")
            # In a thread, for what is done to the server waits for the server's own loop.
            result = await asyncio.to_thread(self._carry_out, request.method, request.path, order)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        return web.json_response(result)

    def _carry_out(self, method: str, path: str, order: dict[str, Any]) -> object:
        tenant = self._server.tenant
        records = tenant.records
        match method, path:
            case "GET", "/stats":
                flow = {"in_flight": records.in_flight, "most_in_flight": records.most_in_flight}
                return {
                    **flow,
                    "calls": dict(records.calls),
                    "connections": self._server.connections,
                    "streams": {"open": tenant.events.open, "opened": tenant.events.opened},
                    **tenant.faults.described(),
                }
            case "GET", "/mails":
                return [asdict(mail) for mail in records.mails]
            case "GET", "/exchanges":
                kept = list(records.exchanges)
                return [{"operation": one.operation, "path": one.path, "status": one.status} for one in kept]
            case "POST", "/token":
                if "subject" in order:
                    return {"id_token": tenant.id_token(order.pop("subject"), **order)}
                return {"access_token": tenant.access_token(order.pop("who"), **order)}
            case "POST", "/do":
                for name, value in order.items():
                    self._do(name, value)
                return {"done": list(order)}
        raise ValueError(f"no such order: {method} {path}")

    def _change(self, name: str, value: Any) -> None:
        tenant = self._server.tenant
        match name:
            case "add":
                for user_id, fields in value.items():
                    tenant.add_user(user_id, **fields)
            case "change":
                for who, fields in value.items():
                    tenant.accounts.change(tenant.user(who), **fields)
            case "remove":
                for who in value:
                    tenant.accounts.remove(tenant.user(who))

    def _events(self, value: dict[str, Any]) -> None:
        events = self._server.tenant.events
        for name, setting in value.items():
            match name:
                case "close":
                    events.close_all()
                case "expire":
                    events.expire()
                case "raw":
                    events.raw.append(setting.encode())
                case "heartbeat" | "closes_after" | "connections" | "silent" | "retry_ms":
                    setattr(events, name, setting)
                case _:
                    raise ValueError(f"no such order: {name}")

    def _do(self, name: str, value: Any) -> None:  # noqa: C901, PLR0912 - one case an order reads best in one place
        server, tenant = self._server, self._server.tenant
        match name:
            case "reset":
                server.reset()
            case "clear":
                tenant.faults.clear()
                tenant.limits.clear()
                tenant.records.clear()
            case "latency_ms":
                tenant.faults.latency = float(value) / 1000
            case "faults":
                for fault in value:
                    tenant.faults.add(**fault)
            case "limits":
                for kind, limit in value.items():
                    tenant.limits.set(kind, **limit)
            case "bucket":
                tenant.limits.fill(**value)
            case "add" | "change" | "remove":
                self._change(name, value)
            case "events":
                self._events(value)
            case "odd":
                for who, fields in value.items():
                    tenant.odd(who, fields)
            case "skew":
                tenant.skew = float(value)
            case "rotate":
                tenant.tokens.keys.rotate()
            case "revoke_m2m":
                tenant.tokens.revoke_m2m()
            case "refuse":
                server.refuse_connections(refuse=bool(value))
            case "certificate":
                server.use_certificate(value)
            case "lagging":
                tenant.accounts.index.lagging = bool(value)
                if not value:
                    tenant.accounts.index.catch_up()
            case _:
                raise ValueError(f"no such order: {name}")
