# SPDX-License-Identifier: MIT
"""What keeps a command from its NATS: each command says what the system, the resolver or TLS says of it."""

from __future__ import annotations

import logging
import socket

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.stand_ins.certificates import Authority
from tests.support.logs import log_as_before
from tests.support.ports import nats_server

COMMANDS = [
    ["check"],
    ["request", "email_to_sub", "x"],
    ["compare", "--inputs", "-", "--new-prefix", "next."],
]


@pytest.fixture(autouse=True)
def _as_loud_as_before():
    logger = logging.getLogger("nats")
    level = logger.level
    yield
    logger.setLevel(level)


def said(arguments, **environment):
    """The status, and all that the command prints."""
    with log_as_before():
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "NO_COLOR": "1", **environment})
    return done.exit_code, done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_without_an_address_is_told_in_the_resolvers_words(command, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    status, output = said(command, NATS_URL="nats://nats.invalid:4222")
    assert status in {1, 2}
    assert "nats://nats.invalid:4222: Name or service not known\n" in output


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("kind", "why"),
    [("untrusted", "unable to get local issuer certificate"), ("expired", "certificate has expired")],
)
def test_a_certificate_that_is_refused_is_told_in_the_words_of_tls(command, kind, why, tmp_path):
    authority = Authority(tmp_path)
    leaf = str(authority.leaf(kind))
    with nats_server(0, "--tls", "--tlscert", leaf, "--tlskey", leaf) as server:
        url = server.url.replace("nats://", "tls://")
        status, output = said(command, NATS_URL=url, NATS_TLS_CA=str(authority.file))
    assert status in {1, 2}
    assert f"{url}: TLS: {why}\n" in output


@pytest.mark.parametrize("command", [*COMMANDS, ["tenant", "check", "--domain", "tenant.invalid"]])
def test_trusted_certificates_that_are_not_there_are_named(command):
    status, output = said(command, SSL_CERT_FILE="/nowhere/ca.pem")
    assert status == 2
    assert "SSL_CERT_FILE: /nowhere/ca.pem: cannot be read: No such file or directory\n" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["request", "--nats-url", "http://u:s3same@127.0.0.1:1", "email_to_sub", "x"],
        ["compare", "--inputs", "-", "--old", "http://u:s3same@127.0.0.1:1"],
        ["compare", "--inputs", "-", "--new", "nats://127.0.0.1:1,s3same@h:port"],
    ],
)
def test_addresses_on_the_command_line_are_looked_at_as_those_of_the_variable(arguments):
    status, output = said(arguments)
    (option,) = {"--nats-url", "--old", "--new"}.intersection(arguments)
    assert status == 2
    assert f"Invalid value for {option}: must be addresses such as nats://host:4222" in output
    assert "s3same" not in output
