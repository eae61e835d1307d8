"""Names and passwords of users: what is accepted, and how a password is made."""

from __future__ import annotations

import re
import secrets

from mlflowctl.errors import UsageError

# Fits HTTP's basic authentication, MLflow's column and the names of an S3 store's accounts alike.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=-]{0,47}")
SHORTEST = 12  # characters; MLflow takes no less
PUBLIC = "password1234"  # stood in MLflow's own files for years


def check_name(name: str) -> str:
    """The name, if it can be a user's.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a user: letters, digits and . _ @ + = - fit, at most 48, the "
            "first a letter or digit.",
            state="Nothing was changed.",
            next="Choose another name.",
        )
    return name


def check_password(password: str, *, where: str = "The password") -> str:
    """The password, if every client can send it.

    Args:
        password: without the line's end.
        where: what it is called in the message.

    Raises:
        UsageError: it is too short, or has characters that do not travel in HTTP's basic authentication.
    """
    problem = ""
    if len(password) < SHORTEST:
        problem = f"is shorter than {SHORTEST} characters"
    elif (
        not (password.isascii() and password.isprintable()) or password != password.strip() or "'" in password
    ):
        problem = "has characters beyond printable ASCII, an apostrophe, or a space at an end"
    elif password == PUBLIC:
        problem = "is the one that older MLflow releases shipped"
    if problem:
        raise UsageError(
            f"{where} {problem}.",
            state="Nothing was changed.",
            next="Choose another, or leave it to mlflowctl.",
        )
    return password


def new_password() -> str:
    """A password that nobody has to remember: 144 bits."""
    return secrets.token_urlsafe(18)
