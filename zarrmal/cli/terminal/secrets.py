"""Secrets given to this process, and texts without them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import without_passwords

OPEN_NAMES = {
    "account_host",
    "account_name",
    "addressing_style",
    "aws_profile",
    "default_location",
    "endpoint_url",
    "profile",
    "project",
    "protocol",
    "region_name",
    "signature_version",
    "target_protocol",
    "tenant_id",
}
"""Options whose values a message may repeat; all others are taken for secrets."""
WAYS_TO_LOG_IN = {"anon", "browser", "cache", "cloud", "google_default"}
"""What gcsfs takes for a token, and is none."""
SECRET_WORDS = ("credential", "key", "passw", "sas", "secret", "sig", "token", "connection_string")
SECRET_VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
)
LEAST_LETTERS = 4

_given: set[str] = set()


def is_secret(name: str) -> bool:
    """An option of this name holds a secret."""
    return name not in OPEN_NAMES and any(word in name.lower() for word in SECRET_WORDS)


def remember_secrets(options: Mapping[str, Any]) -> None:
    """Print none of these values from now on."""
    for text in _leaves(options):
        _given.update(_parts(text))


def without_secrets(text: str) -> str:
    """The text with every secret of this process masked."""
    text = without_passwords(text)
    known = set(_given)
    for variable in SECRET_VARIABLES:
        known.update(_parts(os.environ.get(variable, "")))
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _leaves(tree: Any, name: str = "") -> Iterator[str]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _leaves(value, str(key))
    elif isinstance(tree, list):
        for value in tree:
            yield from _leaves(value, name)
    elif isinstance(tree, str) and name not in OPEN_NAMES and tree not in WAYS_TO_LOG_IN:
        yield tree


def _parts(text: str) -> Iterator[str]:
    """The text; of a connection string, also its key and its signature."""
    parts = [text]
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals and name in ("AccountKey", "SharedAccessSignature"):
            parts.append(value)
    for secret in parts:
        if len(secret) >= LEAST_LETTERS:
            yield secret
            yield secret.encode("unicode_escape").decode()  # as repr shows it
