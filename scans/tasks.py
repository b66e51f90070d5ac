"""Work on arriving scans, for the ingest worker."""

from __future__ import annotations

from celery import shared_task


@shared_task(name="scans.tasks.complete_quiet_series")
def complete_quiet_series() -> int:
    from scans.ingest.complete import complete_quiet_studies

    return complete_quiet_studies()


@shared_task(name="scans.tasks.complete_study")
def complete_study(*, study_id: str) -> None:
    from scans.ingest.complete import complete_study as complete
    from scans.models import Study

    study = Study.objects.filter(pk=study_id).first()
    if study is not None:
        complete(study)
