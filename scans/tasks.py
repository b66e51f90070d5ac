"""Work on arriving scans, for the ingest worker."""

from __future__ import annotations

from uuid import UUID

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


@shared_task(name="scans.tasks.deliver_results")
def deliver_results(*, study_id: str, peer_id: str) -> int:
    from scans.dimse.sending import deliver

    return deliver(UUID(study_id), UUID(peer_id))


@shared_task(name="scans.tasks.promise_due_results")
def promise_due_results() -> int:
    from scans.dimse.sending import promise_due

    return promise_due()


@shared_task(name="scans.tasks.delete_due_studies")
def delete_due_studies() -> int:
    from scans.deletion import delete_due

    return delete_due()


@shared_task(name="scans.tasks.make_research_copy")
def make_research_copy(*, release_id: str) -> None:
    from scans.deidentify.release import make_copy
    from scans.models import Release

    release = Release.objects.filter(pk=release_id).select_related("study__site", "study__patient").first()
    if release is not None:
        make_copy(release)
