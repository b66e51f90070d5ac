"""What is added to a final report, signed in its own right."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Person
from core.problems import Conflict, UserError
from reports.actions.drafts import LONGEST_TEXT
from reports.actions.guards import check_password, lock_report, require_radiologist
from reports.models import Addendum, Report
from reports.wanted import want


def add_addendum(person: Person, report: Report, *, text: str, password: str) -> Addendum:
    """Add a signed text to a final report; the report itself stays as it is."""
    require_radiologist(person, report.site_id)
    text = text.strip()
    if not text or "\0" in text:
        raise UserError("addendum_empty", "Write what is to be added to the report.")
    if len(text) > LONGEST_TEXT:
        raise UserError("text_too_long", f"At most {LONGEST_TEXT} characters fit into an addendum.")
    check_password(person, password, report)
    with transaction.atomic():
        locked = lock_report(report)
        if locked.state != Report.State.FINAL:
            raise Conflict(
                "report_not_final", "This report is still a draft: edit it instead of adding to it."
            )
        want(locked.study)
        return Addendum.objects.create(site_id=locked.site_id, report=locked, person=person, text=text)
