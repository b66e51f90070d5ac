"""Starts a program that does not outlive its starter: `python -I -S leash.py OPTIONS -- COMMAND`.

Run as a file of its own between fork and exec, because code there is not safe in a process with threads.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
AUTOGROUP = "/proc/self/autogroup"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True, help="the starter's process id")
    parser.add_argument("--orphaned", type=int, required=True, help="signal to get when the starter dies")
    parser.add_argument("--user", default="", help="UID:GID to become")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    if options.nice:
        _be_polite(options.nice)
    if options.user:
        uid, gid = map(int, options.user.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of user, which would clear it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, options.orphaned)
        if os.getppid() != options.parent:  # died before the line above
            os.kill(os.getpid(), signal.SIGKILL)
    os.execvp(options.command[0], options.command)  # noqa: S606 - a fixed list of the supervisor


def _be_polite(nice: int) -> None:
    """Yield to the other programs.

    Linux groups processes by session (`sched_autogroup_enabled`): there a process's own niceness counts only
    within its session, and that of the session counts among them.
    """
    os.nice(nice)
    with contextlib.suppress(OSError), open(AUTOGROUP, "w") as group:
        group.write(str(nice))


if __name__ == "__main__":
    main()
