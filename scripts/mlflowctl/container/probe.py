"""The health check of a container: ``python -m mlflowctl.container.probe [serving]``.

Asks the server's ``/health/deep`` under the Host that others in the network use: a server that would answer
them 403 is not well. With ``serving`` it asks a model's gateway, as a client would. Imports nothing heavy,
since it is started every few seconds.
"""

from __future__ import annotations

import http.client
import os
import sys
from urllib.parse import urlsplit

from mlflowctl import defaults

PATH = "/health/deep"
SERVING = "serving"
LIMIT = 5.0


def main() -> int:
    """0 if the server is well; else 1, and one line that says what it answered."""
    serving = sys.argv[1:] == [SERVING]
    port = defaults.SERVING_PORT if serving else defaults.TRACKING_PORT
    host = "" if serving else urlsplit(os.environ.get("MLFLOW_TRACKING_URI", "")).netloc
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request("GET", "/ping" if serving else PATH, headers={"Host": host or f"localhost:{port}"})
        answer = connection.getresponse()
        text = answer.read(200).decode(errors="replace").strip()
        version = answer.getheader("X-Model-Version")
    except (OSError, http.client.HTTPException) as exc:
        print(f"no answer: {exc}")
        return 1
    finally:
        connection.close()
    if serving:  # a gateway is well that has nothing to serve: the registry has no champion
        text = f"version {version}" if version else text or "no version"
    print(f"{answer.status} {text}")
    return 0 if answer.status == http.HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
