"""What the gateway answers without a champion: "well" to a load balancer, the reason to a client."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mlflowctl.registry.ledger import quoted


class Idle:
    """A little server on loopback.

    Args:
        model: name of the registered model.
    """

    def __init__(self, model: str) -> None:
        body = json.dumps(
            {
                "error_code": "RESOURCE_DOES_NOT_EXIST",
                "message": f"No version of model {model!r} is in Production. "
                f"Next: mlflowctl model status {quoted(model)}",
            }
        ).encode()

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                # The place is well: it is the registry that has nothing to serve.
                well = self.path in ("/ping", "/health")
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(200 if well else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(1 if well else len(body)))
                self.end_headers()
                self.wfile.write(b"\n" if well else body)

            do_GET = do_POST = answer

            def log_message(self, format: str, *args: object) -> None:
                """The gateway keeps the access log."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True, name="idle").start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()
