"""`bin/up`: the whole portal on one machine, with one command.

bin/up [--port 8000] [--host H] [--data DIR] [--no-demo] [--detach] [--dicom-port 11112 | none]
bin/up --stop | --status [--data DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lungportal.runtime import outside
from lungportal.runtime.places import Places
from lungportal.runtime.processes import STACK_MARK, stack_mark
from lungportal.runtime.services import (
    ServiceError,
    clear_stale,
    database_account,
    init_database,
    postgres_program,
    prepare_folders,
    redis_program,
)
from lungportal.runtime.stack import (
    ROOT,
    Address,
    demo_program,
    has_command,
    listener_program,
    manage,
    programs,
    remembered,
    stack_environment,
)
from lungportal.runtime.state import Held, Lock, write_private
from lungportal.runtime.steps import step
from lungportal.runtime.supervisor import StartFailed, Supervisor

SERVICE_LIMIT_S = 60.0
WEB_LIMIT_S = 120.0
PREPARE_LIMIT_S = 600
DICOM_PORT = 11112


class Stack:
    """One start of the portal on one data folder."""

    def __init__(self, places: Places, address: Address, demo: bool, dicom: Address | None) -> None:
        self.places = places
        self.address = address
        self.demo = demo
        self.dicom = dicom
        self.environment = stack_environment(places, address, os.environ)
        self.supervisor = Supervisor(places.data, places.logs, self._note)
        self._state: dict[str, Any] = {
            "pid": os.getpid(),
            "host": address.host,
            "port": address.port,
            "url": address.url,
            "dicom_port": dicom.port if dicom else None,
            "started": time.time(),
            "ready": None,
            "environment": remembered(self.environment),
        }

    def run(self) -> None:
        self.supervisor.listen()
        try:
            self._start()
            if not self.supervisor.told_to_stop():
                self._announce()
                self.supervisor.run()
        finally:
            with step("Stopping"):
                self.supervisor.stop()
                clear_stale(self.places)
            self.places.state.unlink(missing_ok=True)

    def _start(self) -> None:
        if ended := clear_stale(self.places):
            print(f"Ended {ended} processes that an earlier run left behind.")
        shutil.rmtree(self.places.tmp)  # what killed processes left there
        self.places.make()
        self._start_services()
        if self.supervisor.told_to_stop():
            return
        with step("Database tables"):
            self._prepare("migrate", "--no-input", "--verbosity", "0")
        self._make_accounts()
        if self.supervisor.told_to_stop():
            return
        with step("Web server and workers"):
            self.supervisor.start(programs(self.places, self.address, self.environment))
            self.supervisor.wait_ready(["web"], WEB_LIMIT_S)
        if self.dicom:
            self.supervisor.start([listener_program(self.dicom, self.environment)])
        if self._demo_wanted:
            self.supervisor.start([demo_program(self.address, self.environment)])

    def _start_services(self) -> None:
        embedded = []
        if not os.environ.get("DATABASE_URL"):
            prepare_folders(self.places, database_account())
            with step("Database files"):
                init_database(self.places)
            embedded.append(postgres_program(self.places))
        if not os.environ.get("REDIS_URL"):
            self.places.sockets.mkdir(mode=0o700, exist_ok=True)
            embedded.append(redis_program(self.places))
        if embedded:
            with step(" and ".join(program.name.capitalize() for program in embedded)):
                self.supervisor.start(embedded)
                self.supervisor.wait_ready([program.name for program in embedded], SERVICE_LIMIT_S)

    @property
    def _demo_wanted(self) -> bool:
        return self.demo and has_command("make_demo") and not self.places.demo_done.exists()

    def _make_accounts(self) -> None:
        if self._demo_wanted:
            with step("Demo accounts"):
                self._prepare("make_demo", "--accounts-only")

    def _prepare(self, *command: str) -> None:
        """Run one of Django's commands to its end, in a session of its own: Ctrl-C waits for it."""
        done = subprocess.run(
            manage(*command), env={**self.environment, STACK_MARK: stack_mark(self.places.data)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=PREPARE_LIMIT_S, check=False, start_new_session=True,
        )  # fmt: skip
        if done.returncode:
            log = self.places.logs / f"{command[0]}.log"
            log.write_text(done.stdout)
            last = "\n".join(f"    {line}" for line in done.stdout.splitlines()[-6:])
            raise StartFailed(f"manage.py {command[0]} failed. The end of {log}:\n{last}")

    def _announce(self) -> None:
        print(f"\nlungportal is ready: {self.address.url}")
        if self.dicom:
            print(
                f"DICOM listener: {self.dicom.local}:{self.dicom.port}; peers are registered in the console."
            )
        if self.places.demo_accounts.exists():
            print(f"\nDemo accounts (kept in {self.places.demo_accounts}):")
            for email, password in json.loads(self.places.demo_accounts.read_text()).items():
                print(f"    {email:<28} {password}")
        print("\nResearch use only; a radiologist decides. Logs:", self.places.logs)
        print(f"Stop: Ctrl-C, or bin/up --stop --data {self.places.data}", flush=True)
        self._state["ready"] = time.time()
        self.supervisor.attend()
        self._save()

    def _note(self, processes: dict[str, Any]) -> None:
        self._state["processes"] = processes
        if processes.get("demo", {}).get("state") == "finished":
            self.places.demo_done.touch()
        self._save()

    def _save(self) -> None:
        write_private(self.places.state, json.dumps(self._state, indent=1))


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    places = Places.of(options.data)
    if options.stop:
        return outside.stop(places)
    if options.status:
        return outside.status(places)
    try:
        places.make()
        if options.detach:
            return outside.detach(places, _foreground_arguments(options))
        return _hold_and_run(places, Address(options.host, options.port), options)
    except (ServiceError, StartFailed) as error:
        print(f"\nlungportal did not start: {error}", file=sys.stderr, flush=True)
    except OSError as error:
        print(f"\nlungportal did not start: {error}", file=sys.stderr, flush=True)
    return 1


def _hold_and_run(places: Places, address: Address, options: argparse.Namespace) -> int:
    lock = Lock(places)
    try:
        lock.take({"pid": os.getpid(), "port": address.port, "host": address.host})
    except Held as held:
        print(outside.who_holds(places, held.holder), file=sys.stderr)
        return 1
    if obstacle := address.refuse_if_taken():
        print(f"Port {address.port} on {address.host} cannot be used ({obstacle}). "
              "Choose another with --port.", file=sys.stderr)  # fmt: skip
        return 1
    dicom = _dicom_address(address, options.dicom_port)
    if isinstance(dicom, str):
        print(dicom, file=sys.stderr)
        return 1
    _say_what_is_special(places, address)
    Stack(places, address, demo=not options.no_demo, dicom=dicom).run()
    return 0


def _dicom_address(web: Address, port: int | None) -> Address | str | None:
    """Where the DICOM listener goes; None for nowhere, or what stands in the way of a port asked for.

    Without --dicom-port a second portal on the same machine starts all the same, without a listener.
    """
    if port == 0:
        return None
    address = Address(web.host, port or DICOM_PORT)
    obstacle = address.refuse_if_taken()
    if not obstacle:
        return address
    taken = f"Port {address.port} on {address.host} cannot be used for DICOM ({obstacle})."
    if port:
        return f"{taken} Choose another with --dicom-port, or none."
    print(f"{taken} No listener is started; choose a port with --dicom-port.")
    return None


def _say_what_is_special(places: Places, address: Address) -> None:
    if places.database_home != places.data:
        print(f"The system user of Postgres cannot reach {places.data}; "
              f"the database lies in {places.database_home}.")  # fmt: skip
    if address.host not in ("127.0.0.1", "localhost", "::1"):
        print("Other machines can reach this address, without TLS: only on a network that you trust.")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/up", description="Start lungportal on this machine.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LUNGPORTAL_DATA") or ROOT / "var"))
    parser.add_argument("--no-demo", action="store_true", help="no demo accounts and studies")
    parser.add_argument("--detach", action="store_true", help="return once the portal answers")
    parser.add_argument(
        "--dicom-port",
        type=_dicom_port,
        help=f"port of the DICOM listener ({DICOM_PORT}); 0 or none: no listener",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--stop", action="store_true", help="stop the portal on this data folder")
    what.add_argument("--status", action="store_true", help="say what runs on this data folder")
    return parser.parse_args(arguments)


def _dicom_port(given: str) -> int:
    return 0 if given == "none" else int(given)


def _foreground_arguments(options: argparse.Namespace) -> list[str]:
    same = ["--port", str(options.port), "--host", options.host, "--data", str(options.data)]
    same += ["--no-demo"] if options.no_demo else []
    return same + (["--dicom-port", str(options.dicom_port)] if options.dicom_port is not None else [])


if __name__ == "__main__":
    sys.exit(main())
