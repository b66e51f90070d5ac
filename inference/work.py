"""One job from lease to result, as a GPU worker does it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from inference import jobs, registry, results
from inference.cnn.vetting import WeightsRefusedError
from inference.models import Job
from inference.pipeline import pipeline_of
from scans.volumes import open_volume

logger = logging.getLogger(__name__)

HEARTBEAT_S = 3.0
LOOK_S = 0.5
"""How often progress within a stage is looked at; a new stage is told at once."""

UNEXPECTED = (
    "The reading stopped because of an unexpected error. Tell the administrator, who finds it in the log."
)


class Pulse:
    """Keeps a lease alive from a thread of its own, since a network may compute for long without a word."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.stage, self.progress = "starting", 0.0
        self.lost = self._stopped = False
        self._news = threading.Event()

    def tell(self, stage: str, progress: float) -> None:
        """Called by the reading at each step; stops it when the job is no longer ours."""
        fresh = stage != self.stage
        self.stage, self.progress = stage, progress
        if fresh:
            self._news.set()
        if self.lost:
            raise jobs.LeaseLostError

    def stop(self) -> None:
        self._stopped = True
        self._news.set()

    def run(self) -> None:
        try:
            shown = ("", -1.0, 0.0)
            while not self._heard_stop():
                now = time.monotonic()
                if (self.stage, self.progress) == shown[:2] and now - shown[2] < HEARTBEAT_S:
                    continue
                shown = (self.stage, self.progress, now)
                self._beat()
        finally:
            connection.close()

    def _heard_stop(self) -> bool:
        """Wait for a new stage or for a while; whether it is time to end."""
        self._news.wait(LOOK_S)
        self._news.clear()
        return self._stopped

    def _beat(self) -> None:
        try:
            jobs.beat(self.job, self.stage, self.progress)
        except jobs.LeaseLostError:
            self.lost = self._stopped = True
        except Exception:
            logger.exception("job %s: heartbeat failed, will be tried again", self.job.pk)
            connection.close()


@contextmanager
def _pulse(job: Job) -> Iterator[Pulse]:
    pulse = Pulse(job)
    thread = threading.Thread(target=pulse.run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield pulse
    finally:
        pulse.stop()
        thread.join(timeout=5)


def read_next() -> bool:
    """Read the most urgent waiting job; False if there was none."""
    job = jobs.claim_next()
    if job is None:
        return False
    try:
        with _pulse(job) as pulse:
            _read(job, pulse)
    except jobs.LeaseLostError:
        logger.warning("job %s: the lease was lost, the result is dropped", job.pk)
    except WeightsRefusedError as error:
        logger.exception("job %s: the networks in force cannot be loaded", job.pk)
        jobs.give_back(job, str(error))
    except Exception:
        logger.exception("job %s: attempt %s failed", job.pk, job.attempt)
        jobs.give_back(job, UNEXPECTED)
    return True


def _read(job: Job, pulse: Pulse) -> None:
    from inference.cnn.read import read_volume  # noqa: PLC0415 - TensorFlow belongs to this process alone

    pulse.tell("opening the volume", 0.0)
    volume = open_volume(job.volume).read()
    loaded = registry.load_in_force()
    said = read_volume(
        volume.hu,
        volume.geometry,
        progress=pulse.tell,
        networks=loaded,
        sensitivity=settings.SENSITIVITY_MAPS,
    )
    pulse.tell("writing the result", 0.99)
    results.write(job, said, volume, pipeline_of(loaded.manifests))
