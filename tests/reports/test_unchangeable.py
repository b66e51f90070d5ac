"""What a network said never changes, a final report is never edited, the audit trail stays: by trigger."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from core.models import AuditEntry
from inference.models import Finding, Reading
from reports.models import Addendum, Decision, Report, ReportVersion
from tests.factories import AddendumFactory, DecisionFactory, ReportFactory, StudyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(site):
    """A study with a row of everything that must not change."""
    study = StudyFactory(site=site, ready=True)
    DecisionFactory(finding=study.findings.first())
    AddendumFactory(report=ReportFactory(study=study, final=True))
    return study


APPEND_ONLY = [
    (Finding, "long_axis_mm", 1.0),
    (Reading, "scan_probability", 0.0),
    (Decision, "note", "changed"),
    (ReportVersion, "impression", "changed"),
    (Addendum, "text", "changed"),
    (AuditEntry, "person_name", "somebody else"),
]
FINAL = [(Report, "revision", 99), (Report, "state", "draft")]
ROWS = pytest.mark.parametrize(
    ("model", "field", "value"), [*APPEND_ONLY, *FINAL], ids=lambda v: getattr(v, "__name__", str(v))
)


def refused(act) -> bool:
    try:
        with transaction.atomic():
            act()
    except DatabaseError:
        return True
    return False


@ROWS
def test_neither_row_nor_queryset_can_be_changed(study, model, field, value):
    row = model.objects.first()
    before = getattr(row, field)
    setattr(row, field, value)
    assert refused(row.save)
    assert refused(lambda: model.objects.filter(pk=row.pk).update(**{field: value}))
    assert getattr(model.objects.get(pk=row.pk), field) == before


@ROWS
def test_nor_by_plain_sql(study, model, field, value):
    row = model.objects.first()
    table = connection.ops.quote_name(model._meta.db_table)

    def sql(statement, *values):
        with connection.cursor() as cursor:
            cursor.execute(statement, values)

    assert refused(lambda: sql(f"update {table} set {field} = %s where id = %s", value, row.pk))  # noqa: S608
    assert refused(lambda: sql(f"delete from {table} where id = %s", row.pk))  # noqa: S608
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [Finding, Reading, Decision, ReportVersion, Addendum, AuditEntry, Report])
def test_nor_can_they_be_removed(study, model):
    row = model.objects.first()
    assert refused(row.delete)
    assert refused(model.objects.filter(pk=row.pk).delete)


def test_a_study_with_a_final_report_cannot_be_removed_with_it(study):
    assert refused(study.delete)


def test_a_draft_may_still_change(site):
    report = ReportFactory(study__site=site)
    report.revision = 7
    report.save()
    assert Report.objects.get().revision == 7


def test_a_final_report_without_signature_is_no_final_report(site):
    report = ReportFactory(study__site=site)
    report.state = "final"
    assert refused(report.save)
