"""libpq passfiles: one line ``host:port:database:user:password``, mode 0600."""

from __future__ import annotations

from pathlib import Path

from mlflowctl.errors import UsageError


def line(role: str, password: str) -> str:
    """The content of a passfile that fits every host, port and database."""
    return f"*:*:*:{role}:{password}\n"


def read(passfile: Path | None) -> str:
    """The password in a one-line passfile.

    Raises:
        UsageError: the file is not known, missing or damaged.
    """
    if passfile is None:
        raise UsageError("This context names no passfile for the database.", state="Nothing was changed.")
    try:
        fields = passfile.read_text().strip().split(":", 4)
    except OSError as exc:
        raise _unusable(passfile, exc.strerror or str(exc)) from None
    if len(fields) != 5 or not fields[4]:
        raise _unusable(passfile, "it is not one line host:port:database:user:password")
    return fields[4]


def _unusable(passfile: Path, why: str) -> UsageError:
    return UsageError(
        f"The passfile {passfile} cannot be used: {why}.",
        state="Nothing was changed.",
        next="Restore it from a backup; if it is the role mlflow's, mlflowctl restart makes a new one.",
    )
