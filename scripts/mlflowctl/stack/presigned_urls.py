"""Whether the server tells clients to fetch artifacts from the object store by themselves.

MLflow's server tells every client that it hands out presigned URLs if its store is S3, and clients then
download each file, and upload large ones, past the server. Where clients cannot reach the address that the
server uses for its store (a service of a Compose network), every download would hang for a minute and fail.
"""

from __future__ import annotations

from typing import Any

VARIABLE = "MLFLOWCTL_PRESIGNED_URLS"  # "false": everything passes through the server


def withhold() -> None:
    """Let this process's MLflow answer that it has none; clients then use the server for everything."""
    from mlflow.server import server_info_api
    from mlflow.utils.server_info import (
        SERVER_INFO_MULTIPART_DOWNLOADS_ENABLED,
        SERVER_INFO_MULTIPART_UPLOADS_ENABLED,
    )

    theirs = server_info_api.build_server_info_payload

    def ours() -> dict[str, Any]:
        withheld = (SERVER_INFO_MULTIPART_DOWNLOADS_ENABLED, SERVER_INFO_MULTIPART_UPLOADS_ENABLED)
        return {**theirs(), **dict.fromkeys(withheld, False)}

    server_info_api.build_server_info_payload = ours
