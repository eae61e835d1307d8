"""Tags that say something about a decision: only those who decide may set them."""

from __future__ import annotations

OURS = "mlflowctl."  # digest, ledger, evidence, retire: each is believed by some command or by the guard
STATUS = "validation_status"
PENDING = "pending"
PROMPT = "mlflow.prompt.is_prompt"  # turns a model into a prompt, and with that into another resource


def decides(key: str, value: str | None) -> bool:
    """Whether setting (or with None: deleting) a tag takes a promoter.

    Args:
        key: of the tag.
        value: that it gets.
    """
    if key.startswith(OURS):
        return True
    return key == STATUS and value != PENDING


def redefines(key: str) -> bool:
    """Whether the tag says what kind of thing a registered model is; set when it is made, never later."""
    return key == PROMPT
