# SPDX-License-Identifier: MIT
"""Dependencies of handlers: one alias for each service. `app.main` puts the services where these look."""

from __future__ import annotations

from typing import Annotated

from faststream import Context

from app.domain import aliases, emails, impersonation, linking, lookups, metadata, passwords

Lookups = Annotated[lookups.Lookups, Context("lookups")]
Metadata = Annotated[metadata.Metadata, Context("metadata")]
Emails = Annotated[emails.Emails, Context("emails")]
EmailLinking = Annotated[emails.EmailLinking, Context("email_linking")]
Linking = Annotated[linking.Linking, Context("linking")]
Aliases = Annotated[aliases.Aliases, Context("aliases")]
Passwords = Annotated[passwords.Passwords, Context("passwords")]
PasswordResets = Annotated[passwords.PasswordResets, Context("password_resets")]
Impersonation = Annotated[impersonation.Impersonation, Context("impersonation")]
