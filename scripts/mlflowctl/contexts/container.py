"""The platform around a container of the project's own image, as its variables describe it."""

from __future__ import annotations

from collections.abc import Mapping

from mlflowctl.settings import Context


def build(reason: str, env: Mapping[str, str]) -> Context:
    """The context inside a container. Raises UsageError if a variable is missing."""
    from mlflowctl.container import settings

    return settings.context(reason, env)
