# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from tests.stand_ins.auth0.web import Call

ADA = "/users/auth0%7Cada"
DATABASE = "Username-Password-Authentication"


def error(reply):
    content = reply.json()
    assert content["statusCode"] == reply.status_code
    return content["statusCode"], content.get("errorCode")


def connections(user):
    return [identity["connection"] for identity in user["identities"]]


class TestReading:
    def test_by_email_gives_the_users_whose_main_address_it_is(self, api):
        reply = api.call("GET", "/users-by-email", params={"email": "ada@example.org"})
        assert [user["user_id"] for user in reply.json()] == ["auth0|ada"]

    @pytest.mark.parametrize("email", ["nobody@example.org", "ada@lovelace.example", "ADA@example.org"])
    def test_by_email_compares_main_addresses_to_the_letter(self, api, email):
        assert api.call("GET", "/users-by-email", params={"email": email}).json() == []

    @pytest.mark.parametrize("query", ["", "?email=", "?email=ada", "?email=a@b@c.org"])
    def test_by_email_needs_an_address(self, api, query):
        assert error(api.call("GET", f"/users-by-email{query}")) == (400, "invalid_query_string")

    def test_the_first_identity_is_the_account_without_profile_data(self, api):
        first, *others = api.call("GET", ADA).json()["identities"]
        assert first == {"provider": "auth0", "user_id": "ada", "connection": DATABASE, "isSocial": False}
        assert [identity["profileData"]["email"] for identity in others] == [
            "ada@gmail.example",
            "ada@lovelace.example",
            "ada@unverified.example",
        ]

    def test_a_username_beyond_ascii_has_a_hashed_id(self, api):
        user = api.call("GET", "/users-by-email", params={"email": "lukasz@example.net"}).json()[0]
        hashed = "3y4r67dCCc7aqLTCq7jTUEMJxUu4x7NZgvfp2NsribuJaECe4Z8dTGdbpm9fYLrjfkYQFSuCL2YPJM73AZF8LzMU"
        assert (user["username"], user["user_id"]) == ("łukasz", f"auth0|{hashed}")

    def test_an_identity_id_may_be_a_number(self, api):
        assert api.call("GET", "/users/auth0%7Clinus_t").json()["identities"][1]["user_id"] == 4711

    def test_an_encoded_slash_belongs_to_the_id(self, api, tenant):
        tenant.add_user("auth0|a/b")
        assert api.call("GET", "/users/auth0%7Ca%2Fb").json()["user_id"] == "auth0|a/b"

    @pytest.mark.parametrize(
        "target", ["users/auth0%7Cx/..", "users/%2E%2E/users", "users/x/%2e%2e/", "x/../users?q=.."]
    )
    def test_dot_segments_lead_elsewhere_as_on_any_server(self, target):
        assert Call.parse("GET", f"/api/v2/{target}", {}, b"").segments == ("api", "v2", "users")

    def test_fields_select_what_is_shown(self, api):
        reply = api.call("GET", ADA, params={"fields": "user_id,email"})
        assert reply.json() == {"user_id": "auth0|ada", "email": "ada@example.org"}

    def test_nobody(self, api):
        assert error(api.call("GET", "/users/auth0%7Cnobody")) == (404, "inexistent_user")

    @pytest.mark.parametrize("user_id", ["ada", "%7Cada", "auth0%7C", "auth0%7C" + "a" * 300, "auth0%7Ca%0Ab"])
    def test_what_is_no_user_id(self, api, user_id):
        assert error(api.call("GET", f"/users/{user_id}")) == (400, "invalid_uri")

    def test_replies_carry_the_rate_limit(self, api):
        headers = api.call("GET", ADA).headers
        assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(headers)


class TestRights:
    def test_no_token(self, api):
        assert error(api.http.get(f"/api/v2{ADA}")) == (401, None)

    def test_m2m_has_the_four_rights_over_users(self, api):
        assert api.m2m().json()["scope"] == "read:users create:users update:users delete:users"

    def test_a_users_token_reads_nobody(self, api, tenant):
        reply = api.call("GET", ADA, token=tenant.access_token("ada"))
        assert error(reply) == (403, "insufficient_scope")
        assert reply.json()["message"] == "Insufficient scope, expected any of: read:users,read:current_user"

    def test_a_users_token_with_read_current_user_reads_its_own(self, api, tenant):
        token = tenant.access_token("ada", ["read:current_user"])
        assert api.call("GET", ADA, token=token).status_code == 200
        assert api.call("GET", "/users/auth0%7Clinus_t", token=token).status_code == 403

    def test_a_users_token_changes_its_own_metadata_alone(self, api, tenant):
        token = tenant.access_token("ada")
        change = {"user_metadata": {"city": "Paris"}}
        assert api.call("PATCH", ADA, token=token, json=change).json()["user_metadata"]["city"] == "Paris"
        assert api.call("PATCH", "/users/auth0%7Clinus_t", token=token, json=change).status_code == 403
        assert api.call("PATCH", ADA, token=token, json={**change, "email": "x@example.org"}).status_code == 403

    def test_scopes_of_a_users_token_count(self, api, tenant):
        token = tenant.access_token("ada", ["openid"])
        assert error(api.call("PATCH", ADA, token=token, json={"user_metadata": {}})) == (403, "insufficient_scope")

    def test_a_users_token_creates_and_deletes_nobody(self, api, tenant):
        token = tenant.access_token("ada")
        assert api.call("DELETE", ADA, token=token).status_code == 403
        assert api.call("POST", "/users", token=token, json={}).status_code == 403

    def test_what_proves_nothing_is_unauthorized(self, api, tenant):
        of_the_tenant = {"no subject", "an empty subject", "a number as subject", "crit", "crit of something unknown"}
        for attack, token in tenant.attacks("ada").items():
            if attack not in of_the_tenant and "\n" not in token:
                assert api.call("PATCH", ADA, token=token, json={"user_metadata": {}}).status_code == 401, attack

    def test_expired(self, api, tenant):
        reply = api.call("GET", ADA, token=tenant.access_token("ada", lifetime=-1))
        assert error(reply) == (401, None)
        assert reply.json()["message"] == "Expired token received for JSON Web Token validation"

    def test_m2m_tokens_can_be_revoked(self, api, tenant):
        assert api.call("GET", ADA).status_code == 200
        tenant.tokens.revoke_m2m()
        assert api.call("GET", ADA).status_code == 401
        assert api.call("GET", ADA, token=api.m2m().json()["access_token"]).status_code == 200


class TestWriting:
    def test_metadata_is_merged_at_its_first_level_and_null_removes(self, api):
        change = {"user_metadata": {"city": None, "bio": "short"}, "app_metadata": {"x": {"y": 1}}}
        user = api.call("PATCH", ADA, json=change).json()
        assert user["user_metadata"]["bio"] == "short"
        assert user["user_metadata"]["country"] == "GB"
        assert "city" not in user["user_metadata"]
        assert user["app_metadata"] == {"x": {"y": 1}}

    def test_an_email_stub(self, api):
        fields = {"connection": "email", "email": "Ada@Linux.com", "email_verified": True}
        reply = api.call("POST", "/users", json={**fields, "app_metadata": {"system_managed": True}})
        user = reply.json()
        assert reply.status_code == 201
        assert user["user_id"].startswith("email|")
        assert user["email"] == "ada@linux.com"
        assert user["email_verified"] is True
        assert user["app_metadata"] == {"system_managed": True}
        assert connections(user) == ["email"]
        assert "profileData" not in user["identities"][0]

    @pytest.mark.parametrize("email", ["new@example.org", "ada@lovelace.example"])
    def test_an_address_is_a_user_of_the_connection_email_once(self, api, email):
        stub = {"connection": "email", "email": email}
        api.call("POST", "/users", json=stub)
        assert error(api.call("POST", "/users", json=stub)) == (409, "auth0_idp_error")

    def test_an_unverified_identity_takes_no_address(self, api):
        stub = {"connection": "email", "email": "ada@unverified.example"}
        assert api.call("POST", "/users", json=stub).status_code == 201

    @pytest.mark.parametrize("fields", [{}, {"connection": "email"}, {"connection": "email", "email": "no address"}])
    def test_a_user_must_be_described(self, api, fields):
        assert error(api.call("POST", "/users", json=fields)) == (400, "invalid_body")

    def test_delete(self, api):
        assert api.call("DELETE", ADA).status_code == 204
        assert api.call("GET", ADA).status_code == 404
        assert api.call("DELETE", ADA).status_code == 204

    def test_the_primary_email_changes(self, api):
        change = {"email": "new@example.org", "email_verified": True}
        assert api.call("PATCH", ADA, json=change).json()["email"] == "new@example.org"
        assert api.call("GET", "/users-by-email", params={"email": "ada@example.org"}).json() == []
        assert len(api.call("GET", "/users-by-email", params={"email": "new@example.org"}).json()) == 1

    def test_two_database_users_cannot_have_one_email(self, api):
        reply = api.call("PATCH", ADA, json={"email": "linus@example.com"})
        assert error(reply) == (400, "auth0_idp_error")

    def test_a_social_account_keeps_its_email(self, api):
        reply = api.call("PATCH", "/users/google-oauth2%7C2048", json={"email": "new@example.org"})
        assert error(reply) == (400, "operation_not_supported")

    def test_password_and_email_do_not_change_at_once(self, api):
        assert api.call("PATCH", ADA, json={"email": "n@example.org", "password": "a good long one"}).status_code == 400

    @pytest.mark.parametrize(
        ("password", "message"),
        [
            ("short", "PasswordStrengthError: Password is too weak"),
            ("Password123", "PasswordDictionaryError: Password is too common"),
            ("correct horse battery staple", "PasswordHistoryError: Password has previously been used"),
            ("1 ada 2 ada 3", "PasswordNoUserInfoError: Password contains user information"),
        ],
    )
    def test_a_password_must_be_good(self, api, password, message):
        reply = api.call("PATCH", ADA, json={"password": password, "connection": DATABASE})
        assert (reply.status_code, reply.json()["message"]) == (400, message)

    def test_the_policy_for_passwords_can_be_eased(self, api, tenant):
        tenant.password_policy.shortest = 1
        assert api.call("PATCH", ADA, json={"password": "n3w", "connection": DATABASE}).status_code == 200

    def test_a_token_of_somebody_who_is_gone_finds_nobody(self, api, tenant):
        reply = api.call(
            "PATCH", "/users/auth0%7Cgone", token=tenant.access_token("auth0|gone"), json={"user_metadata": {}}
        )
        assert error(reply) == (404, "inexistent_user")

    def test_garbage_is_refused(self, api):
        assert error(api.call("PATCH", ADA, content=b"{")) == (400, "invalid_body")


class TestIdentities:
    def stub(self, api, email="ada@linux.com"):
        return api.call("POST", "/users", json={"connection": "email", "email": email, "email_verified": True}).json()

    def test_linking_by_id_moves_the_record_into_an_identity(self, api):
        stub = self.stub(api)
        identity_id = stub["user_id"].removeprefix("email|")
        reply = api.call("POST", f"{ADA}/identities", json={"provider": "email", "user_id": identity_id})
        assert reply.status_code == 201
        last = reply.json()[-1]
        assert (last["connection"], last["user_id"]) == ("email", identity_id)
        assert last["profileData"]["email"] == "ada@linux.com"
        assert last["profileData"]["email_verified"] is True
        assert api.call("GET", f"/users/email%7C{identity_id}").status_code == 404

    def test_linking_by_id_token_takes_the_users_own_right(self, api, tenant):
        body = {"link_with": tenant.id_token("github|77", email="ada@hub.example")}
        other = tenant.access_token("linus_t")
        assert api.call("POST", f"{ADA}/identities", token=other, json=body).status_code == 403
        assert api.call("POST", f"{ADA}/identities", token=tenant.access_token("ada", []), json=body).status_code == 403
        reply = api.call("POST", f"{ADA}/identities", token=tenant.access_token("ada"), json=body)
        assert (reply.status_code, reply.json()[-1]["user_id"]) == (201, 77)

    def test_what_the_id_token_tells_becomes_profile_data(self, api, tenant):
        token = tenant.id_token("github|79", email="n@hub.example", email_verified=True, name="N", nickname="n")
        reply = api.call("POST", f"{ADA}/identities", token=tenant.access_token("ada"), json={"link_with": token})
        known = {"email": "n@hub.example", "email_verified": True, "name": "N", "nickname": "n"}
        assert reply.json()[-1]["profileData"] == known

    def test_linking_by_id_is_not_a_users_own_right(self, api, tenant):
        stub = self.stub(api)
        body = {"provider": "email", "user_id": stub["user_id"]}
        assert api.call("POST", f"{ADA}/identities", token=tenant.access_token("ada"), json=body).status_code == 403

    def test_what_another_user_has_is_a_conflict(self, api):
        reply = api.call("POST", f"{ADA}/identities", json={"provider": "github", "user_id": "4711"})
        assert (reply.status_code, reply.json()["message"]) == (409, "Specified identity already linked")

    def test_what_the_user_has_is_refused(self, api):
        reply = api.call("POST", f"{ADA}/identities", json={"provider": "google-oauth2", "user_id": "1029"})
        assert error(reply) == (400, "identity_already_linked")

    def test_a_foreign_id_token_links_nothing(self, api, tenant):
        good = tenant.id_token("github|78")
        for token in (f"{good[:-4]}AAAA", tenant.id_token("github|78", aud="another-client"), "x.y.z", 5):
            reply = api.call("POST", f"{ADA}/identities", token=tenant.access_token("ada"), json={"link_with": token})
            assert error(reply) == (400, "invalid_body")

    def test_unlinking_gives_the_identity_its_record_back(self, api, tenant):
        reply = api.call("DELETE", f"{ADA}/identities/google-oauth2/1029", token=tenant.access_token("ada"))
        assert (reply.status_code, len(reply.json())) == (200, 3)
        assert api.call("GET", "/users/google-oauth2%7C1029").json()["email"] == "ada@gmail.example"

    def test_unlinking_by_the_digits_of_a_number(self, api):
        assert api.call("DELETE", "/users/auth0%7Clinus_t/identities/github/4711").status_code == 200

    def test_the_account_itself_stays(self, api):
        assert api.call("DELETE", f"{ADA}/identities/auth0/ada").status_code == 400

    @pytest.mark.parametrize("status", [404, 400])
    def test_an_identity_that_is_not_there(self, api, tenant, status):
        tenant.identities.status_not_linked = status
        assert error(api.call("DELETE", f"{ADA}/identities/github/4711")) == (status, "inexistent_identity")
