# SPDX-License-Identifier: MIT
from __future__ import annotations

import base64
import time

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jose import jwt

from tests.stand_ins.auth0.keys import rsa_key
from tests.stand_ins.conftest import ASSERTION_TYPE

PASSWORD = "correct horse battery staple"
PROFILE = {"client_id": "profile-client", "client_secret": "profile-client-secret-of-the-stand-in"}
OTP = {"grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp", "realm": "email", **PROFILE}
LOGIN = {
    "grant_type": "http://auth0.com/oauth/grant-type/password-realm",
    "realm": "Username-Password-Authentication",
    **PROFILE,
}
API = "https://lfx-api.example/"


def refused(reply):
    return reply.status_code, reply.json()["error"]


class TestClientAssertions:
    def test_a_good_one_gives_a_token_of_the_tenant(self, api):
        reply = api.m2m()
        token = reply.json()
        assert (token["token_type"], token["expires_in"]) == ("Bearer", 86_400)
        keys = api.http.get("/.well-known/jwks.json").json()
        claims = jwt.decode(token["access_token"], keys, ["RS256"], audience=f"https://{api.domain}/api/v2/")
        assert (claims["iss"], claims["sub"]) == (f"https://{api.domain}/", "m2m-client@clients")

    def test_one_works_once(self, api):
        assertion = api.assertion()
        assert api.m2m(client_assertion=assertion).status_code == 200
        assert refused(api.m2m(client_assertion=assertion)) == (401, "invalid_client")

    def test_another_with_the_same_jti_does_not_work(self, api):
        assert api.m2m(client_assertion=api.assertion(jti="x")).status_code == 200
        assert refused(api.m2m(client_assertion=api.assertion(jti="x"))) == (401, "invalid_client")

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "another"},
            {"sub": "another"},
            {"iss": "another", "sub": "another"},
            {"aud": "https://another.example/"},
            {"aud": None},
            {"jti": None},
            {"exp": None},
        ],
        ids=str,
    )
    def test_bad_claims(self, api, claims):
        assert refused(api.m2m(client_assertion=api.assertion(**claims))) == (401, "invalid_client")

    @pytest.mark.parametrize(
        "seconds", [{"exp": -60}, {"exp": 180}, {"iat": -60, "exp": 30}], ids=["expired", "too long", "too long ago"]
    )
    def test_bad_times(self, api, seconds):
        claims = {claim: int(time.time()) + offset for claim, offset in seconds.items()}
        assert refused(api.m2m(client_assertion=api.assertion(**claims))) == (401, "invalid_client")

    def test_another_key(self, api):
        api.m2m_key = rsa_key("foreign-key").pem.decode()
        assert refused(api.m2m()) == (401, "invalid_client")

    @pytest.mark.parametrize("assertion", ["", "x", "a.b.c", None])
    def test_no_assertion(self, api, assertion):
        assert refused(api.m2m(client_assertion=assertion)) == (401, "invalid_client")

    def test_a_secret_is_no_assertion(self, api):
        assert refused(api.m2m(client_assertion_type="", client_secret="x")) == (401, "invalid_client")

    def test_another_audience(self, api):
        assert refused(api.m2m(audience="https://another.example/")) == (403, "access_denied")

    def test_an_organization_is_asked_for_when_there_is_one(self, api, tenant):
        tenant.clients.organization = "org_1"
        assert refused(api.m2m()) == (403, "access_denied")
        assert api.m2m(organization="org_1").status_code == 200

    def test_an_unknown_grant(self, api):
        assert refused(api.m2m(grant_type="magic")) == (403, "unsupported_grant_type")


class TestCodes:
    def send(self, api, **fields):
        good = {"connection": "email", "email": "new@example.org", "send": "code"}
        return api.http.post("/passwordless/start", json={**PROFILE, **good, **fields})

    def redeem(self, api, otp, email="new@example.org", **fields):
        return api.http.post("/oauth/token", json={**OTP, "username": email, "otp": otp, **fields})

    def test_a_code_is_mailed_and_redeemed_once(self, api, tenant):
        assert self.send(api, email="New@Example.org").status_code == 200
        code = tenant.records.code_for("new@example.org")
        reply = self.redeem(api, code)
        claims = jwt.get_unverified_claims(reply.json()["id_token"])
        assert claims["sub"].startswith("email|")
        assert (claims["email"], claims["email_verified"], claims["aud"]) == ("new@example.org", True, "profile-client")
        assert refused(self.redeem(api, code)) == (403, "invalid_grant")

    def test_who_signs_in_with_a_linked_address_is_the_account(self, api, tenant):
        self.send(api, email="ada@lovelace.example")
        reply = self.redeem(api, tenant.records.code_for("ada@lovelace.example"), "ada@lovelace.example")
        claims = jwt.get_unverified_claims(reply.json()["id_token"])
        assert (claims["sub"], claims["email"]) == ("auth0|ada", "ada@example.org")

    def test_three_guesses(self, api, tenant):
        self.send(api)
        code = tenant.records.code_for("new@example.org")
        for _ in range(3):
            assert refused(self.redeem(api, "wrong")) == (403, "invalid_grant")
        assert refused(self.redeem(api, code)) == (403, "invalid_grant")

    def test_three_minutes(self, api, tenant):
        self.send(api)
        tenant.skew = 180
        assert refused(self.redeem(api, tenant.records.code_for("new@example.org"))) == (403, "invalid_grant")

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"client_secret": "wrong"}, (401, "access_denied")),
            ({"client_id": "m2m-client"}, (401, "access_denied")),
            ({"connection": "sms"}, (400, "bad.connection")),
            ({"email": "no address"}, (400, "bad.email")),
        ],
    )
    def test_a_code_is_not_sent_to_just_anybody(self, api, tenant, fields, expected):
        assert refused(self.send(api, **fields)) == expected
        assert tenant.records.mails == []


class TestPasswords:
    def login(self, api, username="ada", password=PASSWORD, **fields):
        return api.http.post("/oauth/token", json={**LOGIN, "username": username, "password": password, **fields})

    @pytest.mark.parametrize("username", ["ada", "ada@example.org"])
    def test_the_right_one(self, api, username):
        assert self.login(api, username).json()["token_type"] == "Bearer"

    @pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("grace.hopper", "")])
    def test_a_wrong_one(self, api, username, password):
        reply = self.login(api, username, password)
        assert refused(reply) == (403, "invalid_grant")
        assert reply.json()["error_description"] == "Wrong email or password."

    def test_ten_failures_block_the_account(self, api):
        for _ in range(10):
            self.login(api, password="wrong")
        assert refused(self.login(api)) == (429, "too_many_attempts")

    def test_it_changes(self, api):
        change = {"password": "a new one, and long", "connection": "Username-Password-Authentication"}
        assert api.call("PATCH", "/users/auth0%7Cada", json=change).status_code == 200
        assert self.login(api).status_code == 403
        assert self.login(api, password="a new one, and long").status_code == 200

    def test_a_reset_link_is_mailed_to_those_who_exist(self, api, tenant):
        for email in ("ada@example.org", "nobody@example.org", "social@gmail.example"):
            fields = {"client_id": "lfx-one-client", "connection": "Username-Password-Authentication", "email": email}
            reply = api.http.post("/dbconnections/change_password", json=fields)
            assert reply.text == "We've just sent you an email to reset your password."
        assert [(mail.to, mail.kind) for mail in tenant.records.mails] == [("ada@example.org", "reset")]


class TestImpersonation:
    def exchange(self, api, tenant, *, form=True, **fields):
        good = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "client_id": "m2m-client",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": api.assertion(),
            "subject_token": tenant.impersonator_token("ada"),
            "subject_token_type": API,
            "audience": API,
            "target_user": "linus@example.com",
        }
        return api.http.post("/oauth/token", **{"data" if form else "json": {**good, **fields}})

    @pytest.mark.parametrize("target", ["linus@example.com", "linus_t"])
    def test_granted(self, api, tenant, target):
        reply = self.exchange(api, tenant, target_user=target)
        claims = jwt.get_unverified_claims(reply.json()["access_token"])
        assert (claims["sub"], claims["act"], claims["aud"]) == ("auth0|linus_t", {"sub": "auth0|ada"}, API)

    def test_granted_for_another_api(self, api, tenant):
        reply = self.exchange(api, tenant, audience="https://insights-api.example/")
        assert jwt.get_unverified_claims(reply.json()["access_token"])["aud"] == "https://insights-api.example/"

    def test_not_as_json(self, api, tenant):
        assert refused(self.exchange(api, tenant, form=False)) == (400, "invalid_request")

    def test_refused(self, api, tenant):
        plain = tenant.access_token("ada", aud=API)
        assert refused(self.exchange(api, tenant, subject_token=plain)) == (403, "access_denied")
        assert refused(self.exchange(api, tenant, subject_token=tenant.access_token("ada"))) == (400, "invalid_request")
        assert refused(self.exchange(api, tenant, target_user="nobody")) == (400, "invalid_request")
        assert refused(self.exchange(api, tenant, audience="https://x.example/")) == (400, "invalid_request")
        assert refused(self.exchange(api, tenant, client_assertion="x")) == (401, "invalid_client")


class TestKeys:
    def kids(self, api):
        return [key["kid"] for key in api.http.get("/.well-known/jwks.json").json()["keys"]]

    def test_rotation_keeps_the_old_key(self, api, tenant):
        old = tenant.access_token("ada")
        tenant.tokens.keys.rotate()
        assert self.kids(api) == ["tenant-key-1", "tenant-key-2"]
        assert jwt.get_unverified_header(tenant.access_token("ada"))["kid"] == "tenant-key-2"
        assert api.call("PATCH", "/users/auth0%7Cada", token=old, json={"user_metadata": {}}).status_code == 200

    def test_a_revoked_key_is_gone(self, api, tenant):
        old = tenant.access_token("ada")
        tenant.tokens.keys.rotate(revoke=True)
        assert self.kids(api) == ["tenant-key-2"]
        assert api.call("PATCH", "/users/auth0%7Cada", token=old, json={"user_metadata": {}}).status_code == 401

    def test_other_entries_can_be_published(self, api, tenant):
        tenant.tokens.keys.extra.append({"kty": "EC", "kid": "another"})
        assert self.kids(api) == ["tenant-key-1", "another"]

    def test_tokens_follow_the_tenants_clock(self, tenant):
        tenant.skew = 1000
        assert jwt.get_unverified_claims(tenant.access_token("ada"))["iat"] - time.time() == pytest.approx(1000, abs=5)

    def test_claims_can_be_overridden_and_left_out(self, tenant):
        claims = jwt.get_unverified_claims(tenant.access_token("ada", ["a", "b"], sub=None, iss="x"))
        assert (claims["iss"], claims["scope"], "sub" in claims) == ("x", "a b", False)

    def test_the_environment_holds_the_clients_key(self, tenant):
        encoded = tenant.environment()["AUTH0_M2M_PRIVATE_BASE64_KEY"]
        assert load_pem_private_key(base64.b64decode(encoded), None).key_size == 2048
