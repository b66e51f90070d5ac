"""Options of the web server, for bin/up and for docker-compose.yml alike.

Threads, because Django's code here is synchronous and psycopg2 keeps one connection a thread; request bodies
are read as they come, so that an upload never lies in memory.
"""

from __future__ import annotations

import os
from pathlib import Path

from gunicorn.http.unreader import SocketUnreader

# One read of an upload (`scans.dicomweb.multipart.CHUNK`): what is read beyond it would be copied repeatedly.
SocketUnreader.max_body_chunk = 256 * 1024

bind = os.environ.get("LUNGPORTAL_BIND", "0.0.0.0:8000")
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or min((os.cpu_count() or 1) + 1, 8))
threads = 8
preload_app = True
keepalive = 75
timeout = 120
graceful_timeout = 5
control_socket_disable = True  # it would lie in the home folder, one for all installations of a user
accesslog = "-"
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"  # no query: a search names patients
if Path("/dev/shm").is_dir():  # noqa: S108 - the heartbeat files must not wait for a disk
    worker_tmp_dir = "/dev/shm"  # noqa: S108
