"""What Terraform is doing, from its ``-json`` stream, in lines that a person follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

EVERY = 30  # seconds between two lines about one slow resource
_DOING = {
    "create": ("creating", "created"),
    "update": ("changing", "changed"),
    "delete": ("destroying", "destroyed"),
    "replace": ("replacing", "replaced"),
    "read": ("reading", "read"),
}


class Progress:
    """Turns events into lines, and counts what is done.

    Args:
        say: prints one line.
        total: how many resources the plan changes; 0 if that is not known.
    """

    def __init__(self, say: Callable[[str], None], total: int = 0) -> None:
        self.say = say
        self.total = total
        self.done = 0
        self._told: dict[str, int] = {}
        self._refreshing = False

    def __call__(self, event: dict[str, Any]) -> None:
        """Take one event; what says nothing to a person (values above all) is passed over."""
        kind = str(event.get("type"))
        hook = event.get("hook", {})
        if kind == "refresh_start" and not self._refreshing:
            self._refreshing = True
            self.say("  reading what exists …")
        elif kind in ("apply_start", "apply_progress", "apply_complete", "apply_errored"):
            self._applying(kind, hook)

    def _applying(self, kind: str, hook: dict[str, Any]) -> None:
        action = str(hook.get("action", "update"))
        if action == "read":
            return
        address = str(hook.get("resource", {}).get("addr", ""))
        doing, did = _DOING.get(action, (action, action))
        seconds = int(hook.get("elapsed_seconds", 0))
        if kind == "apply_start":
            self.say(f"  {doing:<11} {address}")
        elif kind == "apply_complete":
            self.done += 1
            count = f"{self.done}/{self.total}  " if self.total else ""
            self.say(f"  {did:<11} {address}  ({count}{seconds} s)")
        elif kind == "apply_errored":
            self.say(f"  FAILED      {address}  (after {seconds} s)")
        elif seconds - self._told.get(address, 0) >= EVERY:
            self._told[address] = seconds
            self.say(f"  still {doing} {address}  ({seconds} s)")
