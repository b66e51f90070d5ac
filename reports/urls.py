"""Pages of the worklist, the study and the report."""

from __future__ import annotations

from django.urls import path

from reports.views import decisions, gallery, report, results, study, worklist

urlpatterns = [
    path("", worklist.show, name="worklist"),
    path("worklist/live/", worklist.live, name="worklist-live"),
    path("worklist/<uuid:pk>/panel/", worklist.panel, name="worklist-panel"),
    path("studies/<uuid:pk>/", study.show, name="study"),
    path("studies/<uuid:pk>/next/", worklist.next_unread, name="next-unread"),
    path("studies/<uuid:pk>/status/", study.status, name="study-status"),
    path("studies/<uuid:pk>/outlines/", study.outlines, name="study-outlines"),
    path("studies/<uuid:pk>/complete/", study.complete, name="study-complete"),
    path("studies/<uuid:pk>/nodules/", decisions.add, name="nodule-add"),
    path("studies/<uuid:pk>/reject-rest/", decisions.reject_rest, name="reject-rest"),
    path("studies/<uuid:pk>/report/", report.open_draft, name="report-open"),
    path("studies/<uuid:pk>/results/", results.show, name="study-results"),
    path("results/<uuid:pk>/", results.download, name="result"),
    path("series/<uuid:pk>/read/", study.read_anyway, name="read-anyway"),
    path("jobs/<uuid:pk>/cancel/", study.cancel_job, name="job-cancel"),
    path("jobs/<uuid:pk>/retry/", study.retry_job, name="job-retry"),
    path("findings/<uuid:pk>/decide/", decisions.decide, name="finding-decide"),
    path("findings/<uuid:pk>/key-image/", study.key_image, name="key-image"),
    path("decisions/<uuid:pk>/revise/", decisions.revise, name="nodule-revise"),
    path("reports/", worklist.reports, name="reports"),
    path("reports/<uuid:pk>/", report.show, name="report"),
    path("reports/<uuid:pk>/pdf/", report.pdf, name="report-pdf"),
    path("reports/<uuid:pk>/key-images/<int:number>/", report.key_image, name="report-key-image"),
    path("reports/<uuid:pk>/save/", report.save, name="report-save"),
    path("reports/<uuid:pk>/redraft/", report.redraft, name="report-redraft"),
    path("reports/<uuid:pk>/editing/", report.editing, name="report-editing"),
    path("reports/<uuid:pk>/sign/", report.sign, name="report-sign"),
    path("reports/<uuid:pk>/addenda/", report.add_addendum, name="report-addendum"),
    path("components/", gallery.show, name="components"),
]
