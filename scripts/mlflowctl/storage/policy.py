"""Bucket policies: recognise the TLS-only statement and public grants, and make the document that is wanted.

Statements that somebody added for named principals are theirs and are kept; bootstrap owns only the
TLS-only statement and the rule that nothing is granted to everyone.
"""

from __future__ import annotations

from typing import Any

from mlflowctl.storage.desired import TLS_ONLY_SID, bucket_arn, tls_only_statement

Policy = dict[str, Any]


def _as_list(value: Any) -> list[Any]:
    """Stores turn one-element lists into bare strings and back."""
    return value if isinstance(value, list) else [value]


def statements(policy: Policy | None) -> list[dict[str, Any]]:
    """The statements of a policy document; none for no document."""
    return [] if not policy else list(_as_list(policy.get("Statement", [])))


def _everyone(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    return "*" in _as_list(principal.get("AWS") if isinstance(principal, dict) else principal)


def grants_to_everyone(statement: dict[str, Any]) -> bool:
    """True if the statement lets anybody in; a condition counts as a deliberate restriction."""
    return statement.get("Effect") == "Allow" and _everyone(statement) and not statement.get("Condition")


def refuses_plain_http(statement: dict[str, Any], bucket: str, region: str) -> bool:
    """True if the statement refuses every plain-http request to this bucket, however it is written."""
    arn = bucket_arn(bucket, region)
    secure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return (
        statement.get("Effect") == "Deny"
        and _everyone(statement)
        and not {"s3:*", "*"}.isdisjoint(_as_list(statement.get("Action")))
        and {arn, f"{arn}/*"} <= set(_as_list(statement.get("Resource")))
        and [str(value).lower() for value in _as_list(secure)] == ["false"]
        and len(statement["Condition"]) == 1
    )


def public_grants(policy: Policy | None) -> list[str]:
    """The statements that let everybody in, by Sid or by position."""
    return [
        str(statement.get("Sid") or f"statement {number}")
        for number, statement in enumerate(statements(policy), start=1)
        if grants_to_everyone(statement)
    ]


def without_public_grants(policy: Policy | None) -> Policy | None:
    """The same document less its public grants; None if nothing is left of it."""
    kept = [statement for statement in statements(policy) if not grants_to_everyone(statement)]
    return {**(policy or {}), "Statement": kept} if kept else None


def with_tls_only(policy: Policy | None, bucket: str, region: str) -> Policy:
    """The same document with the TLS-only statement, in place of an older one of that Sid."""
    kept = [statement for statement in statements(policy) if statement.get("Sid") != TLS_ONLY_SID]
    return {
        "Version": "2012-10-17",
        **(policy or {}),
        "Statement": [*kept, tls_only_statement(bucket, region)],
    }
