"""gunicorn's configuration for the MLflow server (read by gunicorn as a Python module).

Everything arrives through the environment that :mod:`mlflowctl.stack.tracking_server` builds.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from typing import Any

from mlflowctl import defaults

_log = logging.getLogger("mlflowctl.server")

bind = [os.environ["MLFLOWCTL_BIND"]]
workers = int(os.environ.get("MLFLOWCTL_WORKERS", defaults.SERVER_WORKERS))
worker_class = "mlflowctl.stack.server_worker.ServerWorker"
preload_app = True
keepalive = 75
graceful_timeout = 20
timeout = 120  # seconds without a sign of life from a worker's event loop
accesslog = None
errorlog = "-"
loglevel = "info"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112
control_socket_disable = True


def on_starting(arbiter: Any) -> None:
    """Before the port is opened: wait until bootstrap has brought the schema to this release."""
    from mlflowctl.database.schema import wait_until_current

    wait_until_current(os.environ["_MLFLOW_SERVER_FILE_STORE"])
    _stream_uploads()
    _quick_tags()
    _presigned_urls()
    _deep_health(arbiter.app.wsgi())
    # What was loaded so far is shared with the workers; keep the collector from touching (copying) it.
    gc.collect()
    gc.freeze()


def _stream_uploads() -> None:
    """Without this, uploads still work: MLflow then keeps each on its disk before it sends it on."""
    try:
        from mlflowctl.stack import streaming_uploads
    except ImportError:
        _log.exception("this MLflow release does not take streamed uploads; they pass through TMPDIR")
    else:
        streaming_uploads.register()


def _quick_tags() -> None:
    """Without this, tags are set as well, more slowly on models with thousands of versions."""
    try:
        from mlflowctl.stack import quick_tags

        quick_tags.register()
    except ImportError:
        _log.exception("this MLflow release tells prompts in another way; its own way is used")


def _presigned_urls() -> None:
    """Before MLflow 3.17 there are none to withhold."""
    from mlflowctl.stack import presigned_urls

    if os.environ.get(presigned_urls.VARIABLE) == "false":
        try:
            presigned_urls.withhold()
        except ImportError:
            _log.exception("this MLflow release tells of presigned URLs in another way, if at all")


def _deep_health(application: Any) -> None:
    """``/health/deep`` beside MLflow's ``/health``."""
    from mlflowctl.stack import deep_health

    deep_health.register(application, os.environ)


def post_fork(_arbiter: Any, _worker: Any) -> None:
    """A worker must not outlive its parent: an orphan would hold the port with nobody to restart it."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(graceful_timeout)
    os._exit(1)


def post_worker_init(_worker: Any) -> None:
    """Open the stores now, so that the first client does not wait for it."""
    from mlflow.server.handlers import _get_model_registry_store, _get_tracking_store

    try:
        _get_tracking_store()
        _get_model_registry_store()
    except Exception:
        _log.exception("the stores did not open; the first request will try again")
