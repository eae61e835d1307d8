"""The health check of the server's container: ``python -m mlflowctl.container.probe``.

Asks ``/health/deep`` under the Host that others in the network use: a server that would answer them 403
is not well. Imports nothing heavy, since it is started every few seconds.
"""

from __future__ import annotations

import http.client
import os
import sys
from urllib.parse import urlsplit

from mlflowctl import defaults

PATH = "/health/deep"
LIMIT = 5.0


def main() -> int:
    """0 if the server is well; else 1, and one line that says what it answered."""
    host = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", "")).netloc or f"localhost:{defaults.TRACKING_PORT}"
    connection = http.client.HTTPConnection("127.0.0.1", defaults.TRACKING_PORT, timeout=LIMIT)
    try:
        connection.request("GET", PATH, headers={"Host": host})
        answer = connection.getresponse()
        text = answer.read(200).decode(errors="replace")
    except (OSError, http.client.HTTPException) as exc:
        print(f"no answer: {exc}")
        return 1
    finally:
        connection.close()
    print(f"{answer.status} {text}")
    return 0 if answer.status == http.HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
