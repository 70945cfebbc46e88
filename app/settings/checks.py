# SPDX-License-Identifier: MIT
"""Checks of settings before the service starts: files, seeds, certificates, addresses of servers.

Each check returns the value, or raises ValueError with what is wrong and without the value.
"""

from __future__ import annotations

import re
import ssl
import unicodedata
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import idna

from app.settings.secret_texts import LARGEST, bare, pem_of, read_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

_SCHEMES: Final = ("nats", "tls")
_LONGEST_PATH: Final = 1_024
_PATH: Final = re.compile(r"[/~]|\.{1,2}/|[\w./-]{1,100}\.\w{1,8}$")
"""How a path begins, or a short one from here ends; a seed, a key and a token do neither."""

_NAME: Final = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_NAMED: Final = "words of letters, digits, - and _ with dots between them, 64 characters at most"
"""What a subject is made of that is no pattern (`*`, `>`) and that none of NATS's own (`$…`) begins with."""

_OBJECT: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
"""RFC 1123, section 2.1, as Kubernetes asks of a DNS subdomain name."""

_LONGEST_DOMAIN: Final = 253
_MARKS: Final = ("Mn", "Mc")
"""Categories of signs of a script that are written with a letter."""

_HOST: Final = re.compile(r"(?=.{1,253}\Z)[\w-]+(?:\.[\w-]+)*")

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_SENDER: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)*+\.?")
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN (?:[A-Z]{1,20} ){0,2}PRIVATE KEY-----")
_RSA_BITS: Final = 2048


def check_text(text: str) -> str:
    """Take text; of bytes that are no UTF-8 Python makes what can be written nowhere (PEP 383)."""
    try:
        text.encode()
    except UnicodeError:
        raise ValueError("must be UTF-8") from None
    return text


def check_file(path: Path) -> Path:
    """Take a file that can be read, and more than once: a pipe would be waited for, and a device may have no end."""
    try:
        mode = path.stat().st_mode
        if S_ISREG(mode) or S_ISDIR(mode):
            with path.open("rb"):
                return path
        reason = "it is a pipe or a device, and no file"
    except OSError as error:
        reason = error.strerror or "no file"
    raise ValueError(f"{shown(path)}cannot be read: {reason}") from None


def shown(path: Path) -> str:
    """Return a path as a message begins with it; nothing when it reads like a secret that stands in its place."""
    text = str(path)
    is_path = len(text) <= _LONGEST_PATH and text.isprintable() and _PATH.match(text)
    return f"{text}: " if is_path else ""


def check_servers(servers: tuple[str, ...]) -> tuple[str, ...]:
    """Take addresses of NATS servers: `nats://host:port`, `tls://host:port`, `host:port` or `host`."""
    for server in servers:
        try:
            url = urlsplit(server if "://" in server else f"nats://{server}")
            scheme = server.rpartition("://")[0] or "nats"
            usable = scheme in _SCHEMES and url.hostname and (url.port or 1) and url.path in {"", "/"}
            # A `#` or `?` of a password that is not encoded makes the rest of it a part of the host's name.
            usable = usable and not {"#", "?"} & set(server)
        except ValueError:
            usable = False
        if not usable or any(character.isspace() for character in server):
            raise ValueError("must be addresses such as nats://host:4222, comma-separated")
    return servers


def check_sender(address: str) -> str:
    """Take the address of a sender: a dot-atom (RFC 5322, section 3.2.3) at a host name.

    Not what looks like an encoded word (RFC 2047): that would be decoded in a header.
    """
    if not _SENDER.fullmatch(address) or "=?" in address:
        raise ValueError("must be an e-mail address such as noreply@lfx.dev")
    return address


def check_domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    """Take names of domains, beyond ASCII too: labels with dots between them, without what separates words or parts."""
    if not all(_is_domain(domain) for domain in domains):
        raise ValueError("must be domains such as linux.com, comma-separated")
    return domains


def _is_domain(text: str) -> bool:
    labels = text.split(".") if len(text) <= _LONGEST_DOMAIN else [""]
    return all(label[:1].isalnum() and all(map(_is_of_label, label)) for label in labels)


def _is_of_label(character: str) -> bool:
    if character.isalnum() or character in "-_":
        return True
    # Some of them stand for nothing, such as what chooses how a letter is drawn (UTS 46, section 4).
    return unicodedata.category(character) in _MARKS and idna.uts46_remap(character, std3_rules=False) != ""


def check_host(host: str) -> str:
    """Take a name or an address of this machine, or `*`."""
    if host != "*" and not _is_host(host):
        raise ValueError("must be an address of this machine, its name, or *")
    return host


def check_mail_server(host: str) -> str:
    """Take a name or an address of a mail server; its port is a setting of its own."""
    if not _is_host(host.removesuffix(".")):
        raise ValueError("must be the name of a mail server, or its address, without a port")
    return host


def _is_host(text: str) -> bool:
    if _HOST.fullmatch(text):
        return True
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def check_web_address(address: str) -> str:
    """Take the address of something that is asked by HTTP (RFC 9110, section 4.2), without a login in it."""
    if not is_web_address(address) or "@" in urlsplit(address).netloc:
        raise ValueError("must be an address such as https://host/path, without a login")
    return address


def is_web_address(address: str) -> bool:
    """Tell whether something can be asked by HTTP at this address."""
    try:
        url = urlsplit(address)
        usable = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    except ValueError:
        return False
    return bool(usable) and address.isprintable() and " " not in address


def check_object_name(name: str) -> str:
    """Take the name of an object of Kubernetes: it is a segment of a path."""
    if not _OBJECT.fullmatch(name):
        raise ValueError("must be a name of Kubernetes: lower-case letters, digits, - and dots, 253 characters at most")
    return name


def check_prefix(prefix: str) -> str:
    """Take how subjects begin, and return it with the dot at its end."""
    prefix = prefix.strip().removesuffix(".")
    if not _NAME.fullmatch(prefix) or prefix.startswith("_INBOX"):
        raise ValueError(f"must be {_NAMED}, and no inbox")
    return f"{prefix}."


def check_queue(queue: str) -> str:
    """Take the name of a queue group."""
    queue = queue.strip()
    if not _NAME.fullmatch(queue):
        raise ValueError(f"must be {_NAMED}")
    return queue


def check_seed(seed: SecretStr) -> SecretStr:
    """Take an NKey seed."""
    _check_seed(bare(seed.get_secret_value()))
    return seed


def check_credentials(path: Path) -> Path:
    """Take a credentials file: a user JWT and its seed, each below its own line."""
    _check_seed(read_credentials(path).seed)
    return path


def check_ca(path: Path) -> Path:
    """Take a file with certificates."""
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError:  # an SSLError is one
        raise ValueError("holds no certificate that can be read") from None
    return path


def check_key(path: Path) -> Path:
    """Take a file with a private key that asks for no password."""
    # Other things may stand before it: its certificate, the parameters of its curve.
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST)
    except OSError as error:
        raise ValueError(f"{shown(path)}cannot be read: {error.strerror}") from None
    found = _PRIVATE_KEY.search(content)
    if found is None or _private_key(content[found.start() :]) is None:
        raise ValueError("holds no private key that can be read without a password")
    return path


def check_certificate(certificate: Path, key: Path | None) -> Iterator[str]:
    """Tell when a certificate and its key do not go together; without a file for it the key stands beside it."""
    try:
        # No password: a key that asks for one would ask on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError):
        yield "NATS_TLS_CERT, NATS_TLS_KEY: no certificate and key that can be read and belong together"


def check_rsa_key(text: str) -> Any:  # noqa: ANN401 - its class is of a library that few need
    """Return the RSA private key that is given as PEM (PKCS#8 or PKCS#1), or as base64 of that.

    Raises ValueError for anything else.
    """
    try:
        pem = pem_of(text)
    except ValueError:
        pem = ""
    key = _private_key(pem.encode())
    if not _is_rsa(key):
        raise ValueError("must be an RSA private key: PEM (PKCS#8 or PKCS#1), or base64 of that")
    return key


def check_signing_key(given: SecretStr) -> SecretStr:
    """Take an RSA private key of at least 2,048 bits (RFC 7518, section 3.3)."""
    if check_rsa_key(given.get_secret_value()).key_size < _RSA_BITS:
        raise ValueError(f"must be an RSA private key of at least {_RSA_BITS} bits")
    return given


def _check_seed(seed: str) -> None:
    import nkeys  # noqa: PLC0415 - it loads a cryptographic library that few need

    try:
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except Exception:  # noqa: BLE001 - a seed that is none raises whatever comes first
        raise ValueError("holds no NKey seed") from None


@lru_cache(maxsize=4)  # to prove the primes of an RSA key takes 60 ms, and a key is asked for several times
def _private_key(pem: bytes) -> Any:  # noqa: ANN401 - of one of ten classes
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - few need it

    try:
        return load_pem_private_key(pem, password=None)
    except Exception:  # noqa: BLE001 - the library raises many kinds, whose words may show the key
        return None


def _is_rsa(key: object) -> bool:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - few need it

    return isinstance(key, RSAPrivateKey)
