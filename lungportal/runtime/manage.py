"""`bin/manage COMMAND`: one of Django's commands with the settings of the running stack."""

from __future__ import annotations

import os
import sys

from lungportal.runtime.places import Places
from lungportal.runtime.stack import ROOT, command_environment, manage


def main() -> None:
    places = Places.of(os.environ.get("LUNGPORTAL_DATA") or ROOT / "var")
    places.make()
    command = manage(*sys.argv[1:])
    os.execve(command[0], command, command_environment(places, os.environ))  # noqa: S606 - the project's Python


if __name__ == "__main__":
    main()
