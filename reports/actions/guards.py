"""What every action asks first: the role, the password, and a study that is still open."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from accounts.models import Membership, Person
from accounts.permissions import require_role
from core.audit import record
from core.models import AuditEntry
from core.problems import Conflict, Forbidden, UserError
from reports.models import Report
from scans.models import Study

RADIOLOGIST = Membership.Role.RADIOLOGIST
SIGNATURE = "signature"
PASSWORD_ATTEMPTS = 5
PASSWORD_PAUSE = timedelta(minutes=5)


def require_radiologist(person: Person, site_id: UUID) -> None:
    require_role(person, site_id, RADIOLOGIST)


def lock_open_study(study_id: UUID) -> Study:
    """The study, its row locked until the transaction ends.

    Every action locks the study first, so that a decision cannot slip in while the report is being signed.

    Raises
    ------
    Conflict : its report is final.
    """
    study = Study.objects.select_for_update(of=("self",)).get(pk=study_id)
    if study.review == Study.Review.FINAL:
        raise Conflict(
            "report_is_final", "The report of this study is signed and final; add an addendum instead."
        )
    return study


def lock_report(report: Report) -> Report:
    """The report as it stands now, its row locked until the transaction ends."""
    locked = Report.objects.select_for_update(of=("self",)).select_related("editing_by", "study__patient")
    return locked.get(pk=report.pk)


def begin_review(study: Study) -> None:
    """The first decision or draft takes the study off the list of the unread."""
    if study.review == Study.Review.UNREAD:
        study.review = Study.Review.DRAFT
        study.save(update_fields=["review"])


def check_password(person: Person, password: str, target: models.Model) -> None:
    """Who signs must show again that it is them; a wrong password is recorded, and five stop for a while.

    Called outside the transaction of the action, so that the record of a wrong password stays.
    """
    wrong = AuditEntry.objects.filter(
        person_id=person.pk,
        action=AuditEntry.Action.SIGN_IN_FAILED,
        route=SIGNATURE,
        created_at__gt=timezone.now() - PASSWORD_PAUSE,
    )
    if wrong.count() >= PASSWORD_ATTEMPTS:
        raise Forbidden("too_many_attempts", "Too many wrong passwords; try again in five minutes.")
    if not person.check_password(password):
        record(AuditEntry.Action.SIGN_IN_FAILED, target, person=person, route=SIGNATURE)
        raise UserError("wrong_password", "This is not your password; nothing was signed.")


def validate(row: models.Model, *fields: str) -> None:
    """Check these fields and the constraints of a row that is about to be saved.

    Raises
    ------
    UserError : with the sentences of all that is wrong.
    """
    others = [field.name for field in row._meta.fields if field.name not in fields]
    try:
        row.full_clean(exclude=others, validate_unique=False, validate_constraints=False)
        row.validate_constraints()
    except ValidationError as error:
        raise UserError("invalid", " ".join(_sentences(error))) from error


def _sentences(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return error.messages
    return [
        text if field == "__all__" else f"{field.replace('_', ' ').capitalize()}: {text}"
        for field, texts in error.message_dict.items()
        for text in texts
    ]
