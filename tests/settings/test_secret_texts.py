# SPDX-License-Identifier: MIT
"""Private keys and certificates as people's tools leave them."""

from __future__ import annotations

import base64
from functools import cache

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.bus.nats.client import ReconnectingClient
from app.bus.nats.security import security_options
from app.settings import ConfigurationError, Settings
from providers.authelia.codes.signing import NotASigningKey, parse_key
from tests.stand_ins.certificates import write_certificates
from tests.support.ports import nats_server


@cache
def _keys() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forms = {"PKCS#8": serialization.PrivateFormat.PKCS8, "PKCS#1": serialization.PrivateFormat.TraditionalOpenSSL}
    plain = serialization.NoEncryption()
    return {
        name: key.private_bytes(serialization.Encoding.PEM, form, plain).decode().strip()
        for name, form in forms.items()
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WRITTEN = {
    "as it is": lambda pem: pem,
    "CRLF": lambda pem: pem.replace("\n", "\r\n") + "\r\n",
    "CR": lambda pem: pem.replace("\n", "\r"),
    "a byte order mark": lambda pem: "\ufeff" + pem,
    "blank lines": lambda pem: "\n \n\r\n" + pem + "\n\n\n",
    "spaces around lines": lambda pem: "".join(f"  {line} \n" for line in pem.splitlines()),
    "one line": lambda pem: pem.replace("\n", "\\n"),
    "one line of CRLF": lambda pem: pem.replace("\n", "\\r\\n") + "\\n",
    "base64": _base64,
    "base64 in lines": lambda pem: base64.encodebytes(pem.encode()).decode().replace("\n", "\r\n"),
    "base64 of CRLF": lambda pem: _base64(pem.replace("\n", "\r\n")),
    "base64 of a byte order mark": lambda pem: "\ufeff" + _base64("\ufeff" + pem + "\n") + "\n",
}


@pytest.mark.parametrize("form", ["PKCS#8", "PKCS#1"])
@pytest.mark.parametrize("title", WRITTEN)
def test_both_private_keys_are_read_however_they_are_written(monkeypatch, title, form):
    pem = _keys()[form]
    monkeypatch.setenv("AUTHELIA_SIGNING_KEY", WRITTEN[title](pem))
    monkeypatch.setenv("AUTH0_M2M_PRIVATE_BASE64_KEY", WRITTEN[title](pem))
    settings = Settings()
    assert settings.auth0.private_key_pem().get_secret_value().strip() == pem
    meant = parse_key(pem).private_numbers()
    assert parse_key(settings.authelia.signing_key.get_secret_value()).private_numbers() == meant


@pytest.mark.parametrize(
    "text",
    ["-----BEGIN", "\ufeff", "====", "aGVsbG8=", "//79", "-----BEGIN PRIVATE KEY-----\\n-----END PRIVATE KEY-----"],
)
def test_what_is_no_key_is_told(monkeypatch, text):
    with pytest.raises(NotASigningKey):
        parse_key(text)
    monkeypatch.setenv("AUTHELIA_SIGNING_KEY", text)
    with pytest.raises(ConfigurationError, match="AUTHELIA_SIGNING_KEY: must be an RSA private key"):
        Settings()


TLS = {
    "CRLF": lambda pem: pem.replace(b"\n", b"\r\n"),
    "blank lines": lambda pem: b"\n\r\n \n" + pem + b"\n\n",
    "a byte order mark": lambda pem: b"\xef\xbb\xbf" + pem,
    "words before it": lambda pem: b"subject=CN = localhost\r\n\r\n" + pem,
}


async def _ignore(_: object) -> None: ...


@pytest.mark.parametrize("title", TLS)
async def test_files_for_tls_are_read_however_they_are_written(tmp_path, monkeypatch, title):
    ca, certificate, key = write_certificates(tmp_path)
    config = tmp_path / "nats.conf"
    config.write_text(f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{ca}", verify: true }}')
    for name, file in (("CA", ca), ("CERT", certificate), ("KEY", key)):
        written = tmp_path / f"{name}.pem"
        written.write_bytes(TLS[title](file.read_bytes()))
        monkeypatch.setenv(f"NATS_TLS_{name}", str(written))
    with nats_server(0, "-c", str(config)) as server:
        monkeypatch.setenv("NATS_URL", server.url)
        client = ReconnectingClient()
        options = {"max_reconnect_attempts": 0, "error_cb": _ignore, "connect_timeout": 20}
        await client.connect([server.url], **options, **security_options(Settings().nats))
        await client.flush()
        await client.close()
