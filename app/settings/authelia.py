# SPDX-License-Identifier: MIT
"""The settings of the Authelia provider, and of the mail that it sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from app.settings.checks import (
    check_mail_server,
    check_object_name,
    check_sender,
    check_signing_key,
    check_web_address,
)
from app.settings.types import Name, Section

ObjectName = Annotated[str, AfterValidator(check_object_name)]
BucketName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
"""The name of a NATS Key-Value bucket (NATS ADR-8)."""


class AutheliaSettings(Section):
    """The Authelia provider."""

    configmap_name: ObjectName = Field(
        "authelia-users",
        validation_alias="AUTHELIA_CONFIGMAP_NAME",
        description="ConfigMap with Authelia's users file.",
    )
    namespace: ObjectName = Field(
        "lfx",
        validation_alias="AUTHELIA_CONFIGMAP_NAMESPACE",
        description="Namespace of the ConfigMap, the Secret and the DaemonSet.",
    )
    daemonset_name: ObjectName = Field(
        "lfx-platform-authelia",
        validation_alias="AUTHELIA_DAEMONSET_NAME",
        description="DaemonSet that the service restarts when the users file has changed.",
    )
    secret_name: ObjectName = Field(
        "authelia-users", validation_alias="AUTHELIA_SECRET_NAME", description="Secret with the users' passwords."
    )
    userinfo_url: Annotated[str, AfterValidator(check_web_address)] = Field(
        "https://auth.k8s.orb.local/api/oidc/userinfo",
        validation_alias="AUTHELIA_OIDC_USERINFO_URL",
        description="Authelia's userinfo endpoint.",
    )
    signing_key: Annotated[SecretStr, AfterValidator(check_signing_key)] | None = Field(
        None,
        validation_alias="AUTHELIA_SIGNING_KEY",
        description="RSA private key that signs identity tokens, PEM or base64 of it. Default: a key made once in KV.",
    )
    max_codes_per_hour: int = Field(
        600,
        validation_alias="AUTHELIA_MAX_CODES_PER_HOUR",
        ge=1,
        le=100_000,
        description="Maximum number of one-time codes per hour, for all addresses and replicas together.",
    )
    kv_replicas: int = Field(
        1,
        validation_alias="AUTHELIA_KV_REPLICAS",
        ge=1,
        le=5,
        description="Replicas of the buckets that the service creates.",
    )
    users_bucket: BucketName = Field(
        "authelia-users", validation_alias="AUTHELIA_USERS_KV_BUCKET", description="Bucket of the users."
    )
    email_otp_bucket: BucketName = Field(
        "authelia-email-otp", validation_alias="AUTHELIA_EMAIL_OTP_KV_BUCKET", description="Bucket of one-time codes."
    )
    otp_ledger_bucket: BucketName = Field(
        "authelia-otp-ledger",
        validation_alias="AUTHELIA_OTP_LEDGER_KV_BUCKET",
        description="Bucket of counts that outlive a code: sends, guesses.",
    )
    claims_bucket: BucketName = Field(
        "authelia-claims",
        validation_alias="AUTHELIA_CLAIMS_KV_BUCKET",
        description="Bucket of other data that outlives a process: used tokens, claims of identities, restarts.",
    )
    signing_key_bucket: BucketName = Field(
        "authelia-signing-key",
        validation_alias="AUTHELIA_SIGNING_KEY_KV_BUCKET",
        description="Bucket of the key that signs identity tokens.",
    )
    trust_unverified_identity_tokens: bool = Field(
        default=False,
        validation_alias="AUTHELIA_TRUST_UNVERIFIED_IDENTITY_TOKENS",
        description="Whether social identities are linked with unverified tokens. For development only.",
    )
    client_tokens: bool = Field(
        default=True,
        validation_alias="AUTHELIA_CLIENT_TOKENS",
        description="Whether a client's token can change the metadata of the user that the request names.",
    )

    def faults(self, bad: frozenset[str]) -> Iterator[str]:
        """Tell which buckets have one name: what expires in one would expire in the other."""
        variables: dict[str, list[str]] = {}
        for name, field in type(self).model_fields.items():
            variable = str(field.validation_alias)
            if name.endswith("_bucket") and variable not in bad:
                variables.setdefault(getattr(self, name), []).append(variable)
        for bucket, same in variables.items():
            if len(same) > 1:
                yield f"{', '.join(same)}: each bucket needs a name of its own, all of these are {bucket}"


class EmailSettings(Section):
    """How the Authelia provider sends mail."""

    host: Annotated[Name, AfterValidator(check_mail_server)] = Field(
        "lfx-platform-mailpit-smtp.lfx.svc.cluster.local",
        validation_alias="EMAIL_SMTP_HOST",
        description="Mail server.",
    )
    port: int = Field(25, validation_alias="EMAIL_SMTP_PORT", ge=1, le=65_535, description="Port of the mail server.")
    username: str | None = Field(
        None, validation_alias="EMAIL_SMTP_USERNAME", description="User name for the mail server."
    )
    password: SecretStr | None = Field(
        None,
        validation_alias="EMAIL_SMTP_PASSWORD",
        description="Password of this user. It is sent only after STARTTLS.",
    )
    from_address: Annotated[str, AfterValidator(check_sender)] = Field(
        "noreply@lfx.dev",
        validation_alias="EMAIL_FROM_ADDRESS",
        description="Address of the sender.",
    )
    from_name: str = Field(
        "",
        validation_alias="EMAIL_FROM_NAME",
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Name of the sender.",
    )

    def faults(self, bad: frozenset[str]) -> Iterator[str]:
        """Tell when there is a name without a password, or the other way round."""
        pair = {"EMAIL_SMTP_USERNAME", "EMAIL_SMTP_PASSWORD"}
        if (self.username is None) != (self.password is None) and bad.isdisjoint(pair):
            yield "EMAIL_SMTP_USERNAME, EMAIL_SMTP_PASSWORD: one is of no use without the other"
