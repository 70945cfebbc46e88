# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import select
import socket
import ssl
import time

import httpx
import pytest

from tests.stand_ins.auth0 import tenant_process

ADA = "/users/auth0%7Cada"
JWKS = "/.well-known/jwks.json"


class TestReplies:
    def test_a_fault_strikes_its_operation_so_many_times(self, api, tenant):
        fault = tenant.faults.status(503, on="users.get", times=2)
        assert [api.call("GET", ADA).status_code for _ in range(3)] == [503, 503, 200]
        assert fault.struck == 2

    @pytest.mark.parametrize("pattern", ["users.*", "*", "GET /api/v2/users/auth0|ada", "GET /api/v2/*"])
    def test_patterns(self, api, tenant, pattern):
        api.m2m()
        api.token = api.m2m().json()["access_token"]
        tenant.faults.status(500, on=pattern)
        assert api.call("GET", ADA).status_code == 500

    def test_some_calls_can_be_let_pass_before(self, api, tenant):
        tenant.faults.status(500, on="users.get", skip=1)
        assert [api.call("GET", ADA).status_code for _ in range(3)] == [200, 500, 500]

    def test_a_call_can_take_effect_though_its_reply_is_lost(self, api, tenant):
        tenant.faults.status(502, on="users.*", acts=True)
        assert api.call("DELETE", ADA).status_code == 502
        assert "auth0|ada" not in tenant.accounts.by_id

    def test_a_call_that_was_struck_takes_no_effect_otherwise(self, api, tenant):
        tenant.faults.status(502, on="users.*")
        api.call("DELETE", ADA)
        assert "auth0|ada" in tenant.accounts.by_id

    def test_html(self, api, tenant):
        tenant.faults.html(on="users.get")
        reply = api.call("GET", ADA)
        assert (reply.status_code, reply.headers["content-type"], reply.text[:9]) == (502, "text/html", "<!DOCTYPE")

    def test_garbage(self, api, tenant):
        tenant.faults.garbage(on="users.get")
        reply = api.call("GET", ADA)
        assert reply.status_code == 200
        with pytest.raises(ValueError, match="Unterminated"):
            reply.json()

    def test_wrong_types(self, api, tenant):
        tenant.faults.add("wrong_types", on="users.get")
        user = api.call("GET", ADA).json()
        assert user["user_id"] == {"value": "auth0|ada"}
        assert (user["email_verified"], user["identities"][0]["isSocial"]) == ("yes", "yes")

    def test_a_redirect(self, api, tenant):
        tenant.faults.redirect("https://attacker.example/", on="users.get")
        reply = api.call("GET", ADA)
        assert (reply.status_code, reply.headers["location"]) == (302, "https://attacker.example/")

    def test_too_many_requests(self, api, tenant):
        tenant.faults.too_many(on="users.get", retry_after="7", reset=1_900_000_000)
        headers = api.call("GET", ADA).headers
        assert (headers["retry-after"], headers["x-ratelimit-reset"]) == ("7", "1900000000")

    def test_a_gzip_bomb(self, api, tenant):
        tenant.faults.add("gzip_bomb", on="jwks", size=5_000_000)
        with api.http.stream("GET", JWKS) as reply:
            packed = sum(len(chunk) for chunk in reply.iter_raw())
        assert reply.headers["content-encoding"] == "gzip"
        assert packed < 50_000
        assert len(api.http.get(JWKS).content) == 5_000_002

    def test_a_flood(self, api, tenant):
        tenant.faults.add("flood", on="jwks", size=1_000_000)
        reply = api.http.get(JWKS)
        assert "content-length" not in reply.headers
        assert len(reply.content) > 900_000


class TestConnections:
    def test_reset(self, api, tenant):
        tenant.faults.add("reset", on="jwks")
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            api.http.get(JWKS)

    def test_reset_is_a_reset_and_not_an_end(self, tenant, server):
        tenant.faults.add("reset")
        context = ssl.create_default_context(cafile=tenant.ca_file)
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            gone = select.poll()
            gone.register(connection, 0)  # errors and hang-ups are reported unasked
            assert gone.poll(30_000)
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET

    def test_cut_in_the_middle_of_the_body(self, api, tenant):
        tenant.faults.add("cut", on="jwks")
        with api.http.stream("GET", JWKS) as reply:
            assert int(reply.headers["content-length"]) > 400
            with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
                reply.read()

    @pytest.mark.parametrize("kind", ["hang", "hang_body"])
    def test_hang(self, api, tenant, kind):
        tenant.faults.add(kind, on="jwks", times=1)
        with pytest.raises(httpx.ReadTimeout):
            api.http.get(JWKS, timeout=0.2)
        assert api.http.get(JWKS).status_code == 200

    def test_refused_and_back_on_the_same_port(self, api, server):
        api.http.get(JWKS)
        server.refuse_connections()
        with pytest.raises(httpx.ConnectError, match="refused"):
            api.http.get(JWKS)
        server.refuse_connections(refuse=False)
        assert api.http.get(JWKS).status_code == 200

    @pytest.mark.parametrize(
        ("kind", "complaint"),
        [
            ("expired", "certificate has expired"),
            ("not_yet_valid", "not yet valid"),
            ("wrong_host", "Hostname mismatch"),
            ("untrusted", "unable to get local issuer"),
        ],
    )
    def test_bad_certificates(self, api, server, kind, complaint):
        server.use_certificate(kind)
        with pytest.raises(httpx.ConnectError, match=complaint):
            api.http.get(JWKS)

    def test_connections_are_kept_and_counted(self, api, server):
        for _ in range(3):
            api.http.get(JWKS)
        assert server.connections == 1
        server.drop_connections()
        api.http.get(JWKS)
        assert server.connections == 2

    def test_latency(self, api, tenant):
        api.http.get(JWKS)
        tenant.faults.latency = 0.1
        began = time.monotonic()
        api.http.get(JWKS)
        assert time.monotonic() - began >= 0.1


class TestLimits:
    def test_too_many_calls_are_told_when_to_come_back(self, api, tenant):
        api.call("GET", ADA)
        tenant.limits.set("read", 2, 30)
        replies = [api.call("GET", ADA) for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, 429]
        assert [reply.headers["x-ratelimit-remaining"] for reply in replies] == ["1", "0", "0"]
        assert 28 <= int(replies[2].headers["retry-after"]) <= 30
        assert int(replies[2].headers["x-ratelimit-reset"]) - time.time() == pytest.approx(30, abs=3)
        assert replies[2].json()["errorCode"] == "too_many_requests"

    def test_reads_and_writes_are_counted_apart(self, api, tenant):
        api.call("GET", ADA)
        tenant.limits.set("read", 0, 30, retry_after=False)
        assert "retry-after" not in api.call("GET", ADA).headers
        assert api.call("PATCH", ADA, json={"nickname": "a"}).status_code == 200

    def test_the_limit_is_lifted_with_time(self, api, tenant):
        api.call("GET", ADA)
        tenant.limits.set("read", 1, 30)
        api.call("GET", ADA)
        assert api.call("GET", ADA).status_code == 429
        tenant.skew = 31
        assert api.call("GET", ADA).status_code == 200


class TestRecords:
    def test_every_call_is_kept_and_counted(self, api, tenant):
        api.call("GET", ADA)
        api.call("PATCH", ADA, json={"user_metadata": {"city": "Oslo"}})
        kept = tenant.records.of("users.*")
        assert [(one.operation, one.status) for one in kept] == [("users.get", 200), ("users.update", 200)]
        assert kept[0].bearer == api.token
        assert kept[1].fields() == {"user_metadata": {"city": "Oslo"}}
        assert (tenant.records.count("users.*"), tenant.records.count("token.*")) == (2, 1)

    def test_what_nobody_may_log(self, api, tenant):
        api.call("GET", ADA)
        api.call("GET", "/users-by-email", params={"email": "nobody@example.org"})
        texts = tenant.records.confidential()
        assert {"auth0|ada", "auth0%7Cada", "ada@lovelace.example", "nobody@example.org", "London", api.token} <= texts
        assert "Username-Password-Authentication" not in texts

    def test_reset_makes_everything_new(self, api, server):
        tenant = server.tenant
        api.call("DELETE", ADA)
        tenant.faults.status(500)
        tenant.limits.set("read", 0, 30)
        server.reset()
        api.token = ""
        assert api.call("GET", ADA).status_code == 200
        server.reset(fixtures=False)
        api.token = ""
        assert api.search("") == []


def test_a_process_of_its_own_is_ruled_from_outside():
    with tenant_process(users=10) as process:
        ca = ssl.create_default_context(cafile=process.environment["SSL_CERT_FILE"])
        token = process.access_token("ada", scopes=["read:users"])
        base = f"https://{process.environment['AUTH0_DOMAIN']}"
        with httpx.Client(base_url=base, verify=ca, headers={"Authorization": f"Bearer {token}"}) as http:
            by_email = "/api/v2/users-by-email?email=user00007@example.org"
            assert http.get(by_email).json()[0]["user_id"] == "auth0|user00007"
            process.do(faults=[{"kind": "reply", "on": "users-by-email", "status": 503}])
            assert http.get(by_email).status_code == 503
            process.do(clear=True)
            assert http.get(by_email).status_code == 200
        assert process.stats()["calls"] == {"users-by-email": 1}
        assert [user["user_id"] for user in process.users][:2] == ["auth0|ada", "auth0|grace.hopper"]
        with pytest.raises(OSError, match="400"):
            process.do(nonsense=True)
