"""Uploads that pass through the MLflow server on their way to S3, instead of being kept on its disk first.

MLflow writes a proxied upload to a temporary file and sends it on when it is complete, one after the
other. Its upload route asks the artifact repository whether it takes a stream (``StreamUploadMixin``);
the one for S3 does not. This one does, and is registered in MLflow's own registry of repositories, in
the server's process only.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncGenerator, AsyncIterable
from mimetypes import guess_type
from typing import Any, BinaryIO

from mlflow.store.artifact.artifact_repo import StreamUploadMixin
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

PART = 8 * 2**20  # boto3's own size of a part; S3 wants 5 MB and takes 10,000 parts
LARGE_PART = 64 * 2**20  # after PARTS_BEFORE_LARGE parts, so that 8 GB do not end an upload's numbers
PARTS_BEFORE_LARGE = 1000
# Arguments of an upload that S3 wants again with every part.
PART_ARGUMENTS = ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5", "RequestPayer")
AT_ONCE = 3  # parts on their way; with the one that fills, an upload holds four in memory


class StreamingS3ArtifactRepository(StreamUploadMixin, S3ArtifactRepository):  # type: ignore[misc]
    """MLflow's S3 repository, which also takes a file as it arrives."""

    def log_artifact_from_stream(
        self, stream: BinaryIO, artifact_file_name: str, artifact_path: str | None = None
    ) -> None:
        """Upload from a blocking stream (MLflow's Flask routes; ours are served by FastAPI)."""
        extra = self._extra(artifact_file_name)
        self._get_s3_client().upload_fileobj(
            stream, ExtraArgs=extra, **self._target(artifact_file_name, artifact_path)
        )

    async def log_artifact_from_async_stream(
        self, chunks: AsyncIterable[bytes], artifact_file_name: str, artifact_path: str | None = None
    ) -> None:
        """Upload in parts while the rest still arrives; an upload that breaks off leaves no object."""
        client, extra = self._get_s3_client(), self._extra(artifact_file_name)
        target = self._target(artifact_file_name, artifact_path)
        parts = _parts(chunks)
        first = await anext(parts, bytearray())
        if len(first) < PART:
            await asyncio.to_thread(client.put_object, Body=first, **target, **extra)
            return
        opened = await asyncio.to_thread(client.create_multipart_upload, **target, **extra)
        upload = {**target, "UploadId": opened["UploadId"], **self._bucket_owner_params}
        each = {key: value for key, value in extra.items() if key in PART_ARGUMENTS}
        try:
            done = await _send(client, upload | each, first, parts)
            await asyncio.to_thread(
                client.complete_multipart_upload, MultipartUpload={"Parts": done}, **upload
            )
        except BaseException:
            # What an abort in turn cannot reach, the bucket's lifecycle removes.
            await asyncio.to_thread(client.abort_multipart_upload, **upload)
            raise

    def _target(self, name: str, folder: str | None) -> dict[str, str]:
        bucket, root = self.parse_s3_compliant_uri(self.artifact_uri)
        return {"Bucket": bucket, "Key": posixpath.join(root, folder or "", posixpath.basename(name))}

    def _extra(self, name: str) -> dict[str, Any]:
        """The same arguments as MLflow's own upload of a file."""
        kind, encoding = guess_type(name)
        guessed = {"ContentType": kind, "ContentEncoding": encoding}
        return {
            **{key: value for key, value in guessed.items() if value is not None},
            **self._bucket_owner_params,
            **(self.get_s3_file_upload_extra_args() or {}),
        }


async def _parts(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytearray, None]:
    """The stream in pieces of at least :data:`PART` bytes; only the last one may be smaller."""
    part, count = bytearray(), 0
    async for chunk in chunks:
        part += chunk
        if len(part) >= (PART if count < PARTS_BEFORE_LARGE else LARGE_PART):
            yield part
            part, count = bytearray(), count + 1
    if part:
        yield part


async def _send(
    client: Any, upload: dict[str, Any], first: bytearray, rest: AsyncIterable[bytearray]
) -> list[dict[str, Any]]:
    """Upload all parts, a few at once; while those are on their way, no more is taken from the client."""
    room = asyncio.Semaphore(AT_ONCE)
    tasks: list[asyncio.Task[dict[str, Any]]] = []

    async def one(number: int, body: bytearray) -> dict[str, Any]:
        try:
            answer = await asyncio.to_thread(client.upload_part, PartNumber=number, Body=body, **upload)
        finally:
            room.release()
        checksums = {key: value for key, value in answer.items() if key.startswith("Checksum")}
        checksums.pop("ChecksumType", None)
        return {"PartNumber": number, "ETag": answer["ETag"], **checksums}

    async def launch(body: bytearray) -> None:
        await room.acquire()
        tasks.append(asyncio.create_task(one(len(tasks) + 1, body)))

    try:
        await launch(first)
        del first
        async for body in rest:
            await launch(body)
        return await asyncio.gather(*tasks)
    finally:
        await asyncio.gather(*tasks, return_exceptions=True)  # none may still write when it is aborted


def register() -> None:
    """Let this process's MLflow use the streaming repository for ``s3://``."""
    from mlflow.store.artifact import artifact_repository_registry

    artifact_repository_registry._artifact_repository_registry.register("s3", StreamingS3ArtifactRepository)
