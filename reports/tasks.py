"""Work on reports, for the ingest worker."""

from __future__ import annotations

from celery import shared_task


@shared_task(name="reports.tasks.make_results")
def make_results(*, study_id: str) -> None:
    from reports import results
    from scans.models import Study

    study = Study.objects.filter(pk=study_id).select_related("site").first()
    if study is not None:
        results.make_wanted(study)


@shared_task(name="reports.tasks.promise_wanted_results")
def promise_wanted_results() -> int:
    from reports.wanted import promise_due

    return promise_due()
