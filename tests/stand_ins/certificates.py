# SPDX-License-Identifier: MIT
"""A certificate authority of the stand-in's own (RFC 5280), and what it signs: good certificates and bad ones."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["good", "expired", "not_yet_valid", "wrong_host", "untrusted"]
_DAY = dt.timedelta(days=1)


class Authority:
    """Signs certificates for the loopback address; all files lie in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _self_signed(self._key, "Stand-in CA")
        self.file = folder / "ca.pem"
        """The CA's certificate, for SSL_CERT_FILE."""
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self._leaves: dict[Kind, Path] = {}

    def leaf(self, kind: Kind = "good") -> Path:
        """Return a file with a certificate of that kind and its private key, PEM."""
        if kind not in self._leaves:
            self._leaves[kind] = self._write_leaf(kind)
        return self._leaves[kind]

    def _write_leaf(self, kind: Kind) -> Path:
        issuer, issuer_key = self._certificate, self._key
        if kind == "untrusted":
            issuer_key = ec.generate_private_key(ec.SECP256R1())
            issuer = _self_signed(issuer_key, "Somebody else's CA")
        begins, ends = {"expired": (-30, -1), "not_yet_valid": (1, 30)}.get(kind, (-1, 365))
        names: list[x509.GeneralName] = [x509.DNSName("elsewhere.example")]
        if kind != "wrong_host":
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(kind))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins * _DAY)
            .not_valid_after(now + ends * _DAY)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        file = self._folder / f"{kind}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return file


def write_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Write an authority, a certificate of it (for server and client) and its key; return the paths."""
    authority = Authority(folder)
    return authority.file, authority.leaf(), authority.leaf()


def _self_signed(key: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 60 * _DAY)
        .not_valid_after(now + 365 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
