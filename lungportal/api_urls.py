"""The routes of `/api/v1/`."""

from __future__ import annotations

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from accounts.api import MeView
from core.api import NoSuchRoute
from inference.api import FindingViewSet, JobViewSet, ReadAnywayView, ReadingViewSet
from inference.network_api import NetworkViewSet
from inference.single.api import ImageViewSet
from patients.api import PatientViewSet
from reports.api import DecisionViewSet, NodulesView, ReportViewSet
from reports.results_api import ResultsView
from scans.api import KnownFilesView, UploadView
from scans.study_api import SeriesViewSet, StudyViewSet

router = SimpleRouter()
router.register("patients", PatientViewSet, "api-patient")
router.register("studies", StudyViewSet, "api-study")
router.register("series", SeriesViewSet, "api-series")
router.register("jobs", JobViewSet, "api-job")
router.register("readings", ReadingViewSet, "api-reading")
router.register("findings", FindingViewSet, "api-finding")
router.register("networks", NetworkViewSet, "api-network")
router.register("images", ImageViewSet, "api-image")
router.register("decisions", DecisionViewSet, "api-decision")
router.register("reports", ReportViewSet, "api-report")

urlpatterns = [
    path("me/", MeView.as_view(), name="api-me"),
    path("uploads/", UploadView.as_view(), name="api-uploads"),
    path("uploads/known/", KnownFilesView.as_view(), name="api-uploads-known"),
    path("series/<uuid:pk>/read_anyway/", ReadAnywayView.as_view(), name="api-series-read-anyway"),
    path("studies/<uuid:pk>/nodules/", NodulesView.as_view(), name="api-study-nodules"),
    path("studies/<uuid:pk>/results/", ResultsView.as_view(), name="api-study-results"),
    path("", include(router.urls)),
    re_path(r"^(?P<rest>.*)$", NoSuchRoute.as_view(), name="api-no-such-route"),
]
