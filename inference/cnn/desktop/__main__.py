"""`bin/desktop [PATH]`: the window; `bin/desktop --read PATH --csv FILE --pdf FILE`: the same without one."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from core.version import CODE_VERSION

NO_TKINTER = (
    "bin/desktop needs tkinter, which this Python lacks. Install it with your system's Python:\n"
    "  Debian, Ubuntu: apt-get install python3-tk     Fedora: dnf install python3-tkinter\n"
    "(a Python installed by uv brings its own). Without a window: bin/desktop --read FOLDER --csv FILE"
)


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/desktop", description=__doc__)
    parser.add_argument(
        "path", nargs="?", type=Path, help="what to open: a DICOM folder, .mhd, .nii or a picture"
    )
    parser.add_argument("--version", action="version", version=f"lungportal {CODE_VERSION}")
    parser.add_argument("--read", type=Path, metavar="PATH", help="read without a window")
    parser.add_argument("--csv", type=Path, help="with --read: write the findings here")
    parser.add_argument("--pdf", type=Path, help="with --read: write the findings here")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    options = _arguments(given)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.read is not None:
        return _read(options.read, [p for p in (options.csv, options.pdf) if p is not None])
    if importlib.util.find_spec("_tkinter") is None:
        return _complain(NO_TKINTER)
    import tkinter as tk

    from inference.cnn.desktop import window

    try:
        window.run(options.path)
    except tk.TclError as error:
        return _complain(
            f"No window can be opened ({error}). Without one: bin/desktop --read FOLDER --csv FILE"
        )
    return 0


def _read(path: Path, outs: list[Path]) -> int:
    """Read and write files; with none, the CSV goes to standard output."""
    from inference.cnn.desktop.reading import read
    from inference.cnn.desktop.rows import as_csv, summary
    from inference.cnn.desktop.saving import write
    from inference.cnn.desktop.source import open_source
    from scans.dicom.refusal import Refused

    try:
        source = open_source(path)
    except Refused as refused:
        return _complain(refused.sentence)
    except OSError as error:
        return _complain(str(error))
    reading = read(source, _told)
    for out in outs:
        write(source, reading, out)
    if not outs:
        sys.stdout.write(as_csv(reading))
    return _complain(summary(reading), 0)


def _told(stage: str, part: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{stage:12} {part:4.0%} ")


def _complain(text: str, code: int = 1) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
