"""A reading in a thread of its own, told to the window through a queue; the networks are loaded there."""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from pathlib import Path

from inference.cnn.desktop.source import Scan, Source, open_source
from inference.cnn.reading import VolumeReading
from inference.cnn.slices.read import PictureReading
from scans.dicom.refusal import Refused

logger = logging.getLogger(__name__)

UNEXPECTED = "The reading stopped because of an unexpected error. Start from a terminal to see it."


@dataclass(frozen=True)
class Progress:
    """Stage in plain words, and the share of it that is done (0..1)."""

    stage: str
    part: float


@dataclass(frozen=True)
class Opened:
    source: Source


@dataclass(frozen=True)
class Finished:
    """The result; of a scan a VolumeReading, of a picture a PictureReading."""

    source: Source
    reading: VolumeReading | PictureReading


@dataclass(frozen=True)
class Failed:
    sentence: str


Event = Progress | Opened | Finished | Failed


class Stopped(Exception):
    """Another scan was opened, or the window closed: nobody waits for this reading."""


class Reader:
    """Opens and reads one path at a time; `events` is to be emptied by the window."""

    def __init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self._stop = threading.Event()

    def start(self, path: Path) -> None:
        """Read a path; an earlier reading is given up and says nothing more."""
        self._stop.set()
        self._stop = threading.Event()
        self.events = queue.Queue()
        arguments = (path, self.events, self._stop)
        threading.Thread(target=_work, args=arguments, name="reading", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()


def _work(path: Path, events: queue.Queue[Event], stop: threading.Event) -> None:
    def tell(stage: str, part: float) -> None:
        if stop.is_set():
            raise Stopped
        events.put(Progress(stage, part))

    try:
        tell("opening", 0.0)
        source = open_source(path)
        events.put(Opened(source))
        tell("loading the networks", 0.0)
        events.put(Finished(source, read(source, tell)))
    except Stopped:
        return
    except Refused as refused:
        events.put(Failed(refused.sentence))
    except (OSError, ValueError) as error:
        logger.exception("reading failed")
        events.put(Failed(str(error)))
    except Exception:
        logger.exception("reading failed")
        events.put(Failed(UNEXPECTED))


def read(source: Source, tell: object = None) -> VolumeReading | PictureReading:
    """Read a scan with `read_volume`, a picture with `read_picture`."""
    from inference.cnn.read import read_volume
    from inference.cnn.slices.read import read_picture

    if isinstance(source, Scan):
        return read_volume(source.hu, source.geometry, progress=tell if callable(tell) else None)
    return read_picture(source.picture)
