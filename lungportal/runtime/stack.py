"""The processes of the portal, and the environment that they share (DESIGN section 5)."""

from __future__ import annotations

import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lungportal.runtime.places import Places
from lungportal.runtime.processes import Program
from lungportal.runtime.state import read_state, secret_key

ROOT = Path(__file__).resolve().parent.parent.parent
CELERY = [sys.executable, "-m", "celery", "-A", "lungportal.celery:app"]
QUIET_WORKER = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
WARM_THEN_COLD = (signal.SIGTERM, signal.SIGQUIT)
HIDDEN_FROM_CHILDREN = ("PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE")
NOT_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @property
    def local(self) -> str:
        """The host as this machine reaches it."""
        host = "127.0.0.1" if self.host in NOT_ADDRESSES else self.host
        return f"[{host}]" if ":" in host else host

    @property
    def url(self) -> str:
        return f"http://{self.local}:{self.port}"

    @property
    def bind(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def refuse_if_taken(self) -> str:
        """Empty if the port is free, else what stands in the way."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                return error.strerror or str(error)
        return ""

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=3) as answer:  # noqa: S310 - http
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False


def stack_environment(places: Places, address: Address, given: Mapping[str, str]) -> dict[str, str]:
    """What every process of the stack is told; what the person has set holds."""
    hosts = ["127.0.0.1", "localhost", "[::1]", socket.gethostname(), socket.getfqdn()]
    if address.host not in NOT_ADDRESSES:
        hosts.append(address.host)
    named = [host for host in given.get("LUNGPORTAL_ALLOWED_HOSTS", "").split(",") if host]
    environment = {key: value for key, value in given.items() if key not in HIDDEN_FROM_CHILDREN}
    return {
        "LUNGPORTAL_ENV": "development",
        "DATABASE_URL": places.database_url,
        "REDIS_URL": places.redis_url,
        "STORAGE_URL": places.storage.as_uri(),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **{key: value for key, value in environment.items() if value},
        "LUNGPORTAL_DATA": str(places.data),
        "LUNGPORTAL_SECRET_KEY": given.get("LUNGPORTAL_SECRET_KEY") or secret_key(places),
        "LUNGPORTAL_ALLOWED_HOSTS": ",".join(dict.fromkeys(named + hosts)),
        "TMPDIR": str(places.tmp),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
    }


def command_environment(places: Places, given: Mapping[str, str]) -> dict[str, str]:
    """The same for one command beside a stack that runs or has run on this data folder."""
    state = read_state(places)
    kept = {key: str(value) for key, value in state.get("environment", {}).items()}
    address = Address(state.get("host", "127.0.0.1"), int(state.get("port", 8000)))
    return stack_environment(places, address, {**kept, **given})


def remembered(environment: Mapping[str, str]) -> dict[str, str]:
    """What `bin/manage` must know to meet the same database, broker and storage."""
    names = ("LUNGPORTAL_ENV", "DATABASE_URL", "REDIS_URL", "STORAGE_URL", "LUNGPORTAL_QUIET_SECONDS")
    return {name: environment[name] for name in names if name in environment}


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def has_command(name: str) -> bool:
    """Whether one of our apps has this command, without starting Django."""
    return any(ROOT.glob(f"*/management/commands/{name}.py"))


def programs(places: Places, address: Address, environment: Mapping[str, str]) -> list[Program]:
    """Web server, two workers and the clock."""
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "deploy" / "gunicorn.conf.py")]
    web = [*gunicorn, "--bind", address.bind, "lungportal.wsgi:application"]
    ready = partial(Address.answers, address)
    beat = [
        *CELERY,
        "beat",
        "--schedule",
        str(places.data / "beat" / "schedule"),
        "--pidfile=",
        "-l",
        "WARNING",
    ]
    return [
        Program("web", web, environment, ready=ready),
        _worker("ingest", 2, environment),
        _worker("gpu", 1, environment),
        Program("beat", beat, environment),
    ]


def _worker(queue: str, children: int, environment: Mapping[str, str]) -> Program:
    """A Celery worker; polite, so that pages stay quick while it computes."""
    command = [*CELERY, "worker", "-Q", queue, "-P", "prefork", "-c", str(children), "-n", f"{queue}@%h"]
    return Program(
        name=queue,
        command=[*command, *QUIET_WORKER],
        environment=environment,
        stop_signals=WARM_THEN_COLD,
        orphan_signal=signal.SIGQUIT,
        nice=10,
    )


def listener_program(address: Address, environment: Mapping[str, str]) -> Program:
    """Receives images by C-STORE."""
    command = manage("dicom_listener", "--host", address.host, "--port", str(address.port))
    return Program("dicom", command, environment)


def demo_program(address: Address, environment: Mapping[str, str]) -> Program:
    """Makes the synthetic studies and sends them through the front door, once."""
    return Program(
        "demo", manage("make_demo", "--studies", "--url", address.url), environment, nice=10, once=True
    )
