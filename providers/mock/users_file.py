# SPDX-License-Identifier: MIT
"""The users file of the mock provider: `users:`, a list of entries. A bad file says where it is bad.

Fields are texts, as they stand there (`yaml_files`); as a boolean pydantic takes what YAML 1.1 did, `yes` and `on` too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from app.domain import subject_ids
from app.domain.addresses import parse_address
from app.domain.errors import InvalidEmail
from app.domain.metadata import known
from app.domain.spellings import comparable
from app.domain.users import EMAIL, Identity, User
from app.settings import ConfigurationError
from providers import yaml_files
from providers.mock.store import Entry
from providers.yaml_files.nodes import BadYaml, Mapping, Node, Sequence, TwiceTheSame

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXTURE_USERS: Final = Path(__file__).with_name("users.yaml")


def _address(text: str) -> str:
    try:
        return text and parse_address(text, InvalidEmail)
    except InvalidEmail:
        raise ValueError("not an e-mail address") from None


EmailAddress = Annotated[str, AfterValidator(_address)]
"""Empty, or an address in the form in which it is compared."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class FileIdentity(_Model):
    """An identity, with the fields of the user model."""

    provider: str = Field(min_length=1)
    identity_id: str = ""
    connection: str = ""
    email: str = ""
    email_verified: bool = False
    nickname: str = ""
    name: str = ""
    is_social: bool = False

    @field_validator("email")
    @classmethod
    def _is_an_address(cls, email: str, info: ValidationInfo) -> str:
        connection = info.data.get("connection") or info.data.get("provider")
        return _address(email) if connection == EMAIL else email


class FileEmail(_Model):
    """A further address."""

    email: EmailAddress = Field(min_length=3)
    verified: bool = False


class FileUser(_Model):
    """A user; all fields are optional but `username` or `user_id`."""

    token: str = ""
    user_id: str = ""
    sub: str = ""
    username: str = ""
    primary_email: EmailAddress = ""
    password: str | None = None
    user_metadata: dict[str, Any] = Field(default_factory=dict)
    identities: list[FileIdentity] = Field(default_factory=list)
    alternate_emails: list[FileEmail] = Field(default_factory=list)

    def user(self) -> User:
        """Return the user meant."""
        return User(
            user_id=self.user_id or self.sub or subject_ids.derive(self.username),
            username=self.username,
            primary_email=self.primary_email,
            user_metadata=known(self.user_metadata),
            identities=(
                *(_identity(identity) for identity in self.identities),
                *(_alternate(alternate) for alternate in self.alternate_emails),
            ),
        )


def _identity(given: FileIdentity) -> Identity:
    fields = given.model_dump()
    fields["connection"] = given.connection or given.provider
    if fields["connection"] == EMAIL:
        fields["identity_id"] = given.identity_id or given.email
    return Identity(**fields)


def _alternate(given: FileEmail) -> Identity:
    return Identity(EMAIL, given.email, EMAIL, given.email, email_verified=given.verified)


def load_users(path: Path | None) -> list[tuple[Entry, str]]:
    """Return the users of the file with their tokens; of the fixture users when there is no path.

    Raises:
        ConfigurationError: names the file, the line, the entry and the field.
    """
    path = path or FIXTURE_USERS
    problems: list[str] = []
    users: list[tuple[int, int, FileUser]] = []
    try:
        users.extend(_parsed(_entries(path), problems))
    except (OSError, UnicodeError) as error:
        problems.append(f"cannot be read: {type(error).__name__}")
    except TwiceTheSame as error:
        problems.append(f"line {error.line}: {error.key}: {error.problem}")
    except BadYaml as error:
        problems.append(f"no YAML, {error}")
    problems.extend(_clashes(users))
    if problems:
        raise ConfigurationError("\n".join(f"MOCK_USERS_FILE: {path}: {problem}" for problem in problems))
    return [(Entry(entry.user(), entry.password), entry.token) for _, _, entry in users]


def _entries(path: Path) -> Sequence:
    with path.open("rb") as file:
        content = file.read(yaml_files.MAX_TEXT + 1)
    if len(content) > yaml_files.MAX_TEXT:
        raise ConfigurationError(f"MOCK_USERS_FILE: {path}: more than {yaml_files.MAX_TEXT} bytes")
    root = yaml_files.read(content.decode(), alone=True)
    users = root.fields.get("users") if isinstance(root, Mapping) else None
    if not isinstance(users, Sequence):
        raise ConfigurationError(f"MOCK_USERS_FILE: {path}: users: must be a list")
    return users


def _parsed(entries: Sequence, problems: list[str]) -> Iterator[tuple[int, int, FileUser]]:
    """Yield number, line and user of each entry that is good."""
    for number, entry in enumerate(entries.items, 1):
        here = f"users, entry {number}"
        try:
            user = FileUser.model_validate(yaml_files.data(entry))
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_context=False, include_input=False):
                field = ".".join(str(part) for part in problem["loc"]) or "(the entry)"
                problems.append(f"line {_line(entry, problem['loc'])}: {here}: {field}: {problem['msg']}")
            continue
        if not (user.username or user.user_id or user.sub):
            problems.append(f"line {entry.line}: {here}: username: one of username and user_id is required")
        elif user.user_id and user.sub and user.user_id != user.sub:
            problems.append(f"line {_line(entry, ('sub',))}: {here}: sub: differs from user_id")
        else:
            yield number, entry.line, user


def _line(node: Node, way: tuple[int | str, ...]) -> int:
    """Return the line of what is found on that way down from the node, or of the last thing that is there."""
    for part in way:
        inner: Node | None = None
        if isinstance(node.meant, Mapping):
            inner = node.meant.own.get(str(part))
        elif isinstance(node.meant, Sequence) and isinstance(part, int):
            inner = node.meant.items[part]
        if inner is None:
            break
        node = inner
    return node.line


def _clashes(users: list[tuple[int, int, FileUser]]) -> Iterator[str]:
    seen: dict[tuple[str, str], int] = {}
    for number, line, entry in users:
        user = entry.user()
        # An alternate may be somebody's primary address as well: the look-ups say who comes first.
        unique = {
            "user_id": user.user_id,
            "username": user.username,
            "token": entry.token,
            "primary_email": comparable(user.primary_email),
        }
        for field, value in unique.items():
            if value and (field, value) in seen:
                yield f"line {line}: users, entry {number}: {field}: the same as in entry {seen[field, value]}"
            seen.setdefault((field, value), number)
