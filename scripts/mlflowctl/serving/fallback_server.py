"""What the gateway answers where no server does: JSON with the reason, and a request id like every answer.

The path tells the case, for the gateway can tell nothing else:

    /vacant/…                  the registry has no champion: well to a load balancer, 503 to a client
    /loading/…                 there is one, and it does not answer yet: 503
    /failed/s12-challenger-v7  the server that was asked gave no answer: the gateway's own status stays

A process of its own: it outlives a supervisor that is killed, as gateway and model servers do.

    python -m mlflowctl.serving.fallback_server --fd 3 --name NAME
"""

from __future__ import annotations

import argparse
import json
import shlex
import socket

from mlflowctl.serving.model_server import KEEP_ALIVE, App, Message, Receive, Send, header, request_id

WELL = ("ping", "health")
NOBODY = b"none"  # no version made the answer
ASKED = "X-Model-Asked"  # the service that gave none, so that the access log can tell whose failure it was


def application(name: str) -> App:
    """The ASGI application.

    Args:
        name: of the registered model.
    """

    async def answer(scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG001  (ASGI)
        if scope["type"] != "http":
            return
        case, _, rest = str(scope["path"]).lstrip("/").partition("/")
        if case == "vacant" and rest in WELL:
            status, body = 200, b"\n"
        else:
            status, body = _refusal(case, name)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id(scope)),
            (b"x-model-name", header(name)),
            (b"x-model-version", NOBODY),
        ]
        if case == "failed":
            headers.append((ASKED.lower().encode(), header(rest)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return answer


def _refusal(case: str, name: str) -> tuple[int, bytes]:
    quoted = shlex.quote(name)
    status, code, message, following = {
        "vacant": (
            503, "RESOURCE_DOES_NOT_EXIST", f"No version of model {name!r} is in Production.",
            f"mlflowctl model status {quoted}",
        ),
        "failed": (
            502, "TEMPORARILY_UNAVAILABLE", f"The server of model {name!r} that was asked gave no answer.",
            f"ask again; mlflowctl model serving {quoted} shows what answers",
        ),
    }.get(case, (
        503, "TEMPORARILY_UNAVAILABLE", f"Model {name!r} is being loaded.",
        f"mlflowctl model serving {quoted} --wait 120",
    ))  # fmt: skip
    return status, json.dumps({"error_code": code, "message": f"{message} Next: {following}"}).encode()


def main() -> None:
    """Serve until told to end."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--fd", type=int, required=True)
    asked.add_argument("--name", required=True)
    arguments = asked.parse_args()
    import uvicorn

    config = uvicorn.Config(
        application(arguments.name), log_level="warning", access_log=False, lifespan="off",
        timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=1,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=arguments.fd)])


if __name__ == "__main__":
    main()
