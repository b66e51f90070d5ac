"""Work on readings: planning and reaping on the ingest queue, reading on the GPU queue."""

from __future__ import annotations

from typing import Any

from celery import current_app, shared_task
from celery.signals import celeryd_after_setup, worker_process_init

_worker = {"reads": False}


@shared_task(name="inference.tasks.plan_reading")
def plan_reading(*, study_id: str, volume_id: str) -> None:
    from inference import jobs
    from scans.models import Study, Volume

    study = Study.objects.filter(pk=study_id).first()
    volume = Volume.objects.filter(pk=volume_id).first()
    if study is not None and volume is not None:
        jobs.plan(study, volume)


@shared_task(name="inference.tasks.read_next")
def read_next() -> None:
    """Read one job; as long as others wait, another message follows."""
    from inference.models import Job
    from inference.work import read_next as read_one

    if read_one() and Job.objects.filter(state=Job.State.QUEUED).exists():
        current_app.send_task("inference.tasks.read_next", ignore_result=True)


@shared_task(name="inference.tasks.reap_jobs")
def reap_jobs() -> int:
    from inference import jobs

    return jobs.reap()


@shared_task(name="inference.tasks.read_image")
def read_image(*, image_id: str) -> None:
    from inference.single import actions

    actions.answer(image_id)


@shared_task(name="inference.tasks.ask_images_again")
def ask_images_again() -> int:
    from inference.single import actions

    return actions.ask_again()


@shared_task(name="inference.tasks.forget_images")
def forget_images() -> int:
    from inference.single import actions

    return actions.forget_old()


@celeryd_after_setup.connect
def learn_queues(instance: Any = None, **_: Any) -> None:
    """Before its children start, a worker learns whether it reads: they inherit what stands here."""
    _worker["reads"] = "gpu" in instance.app.amqp.queues.consume_from


@worker_process_init.connect
def warm_up(**_: Any) -> None:
    """Load the networks when a GPU worker's child starts, so that the first scan does not wait for them.

    Celery kills a child that is silent for longer than CELERY_WORKER_PROC_ALIVE_TIMEOUT (4 s by default).
    """
    if _worker["reads"]:
        from inference.cnn.slices.read import warm_up as warm_up_pictures
        from inference.registry import load_in_force

        load_in_force()
        warm_up_pictures()
