"""Keeping a stack away from the usual ports, for tests that stop it and want the same ports back."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from mlflowctl.stack.layout import Ports


@contextlib.contextmanager
def usual_ports_held() -> Iterator[None]:
    """The usual ports are taken for the block, so that a stack's first ``up --auto-ports`` takes others.

    A stack on the usual ports loses them, while it is stopped, to the next test that starts one.
    """
    with contextlib.ExitStack() as held:
        for port in Ports().public().values():
            holder = held.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # held by somebody else: as good
                holder.bind(("127.0.0.1", port))
                holder.listen()
        yield
