"""Every road into the house."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


def healthz(request: HttpRequest) -> HttpResponse:
    """For load balancers and the supervisor: the process answers."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.account.urls")),
    path("account/", include("accounts.urls")),
    path("patients/", include("patients.urls")),
    path("scans/", include("scans.urls")),
    path("networks/", include("inference.urls")),
    path("image/", include("inference.single.urls")),
    path("dicomweb/", include("scans.dicomweb.urls")),
    path("api/v1/", include("lungportal.api_urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/docs/",
        SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="api/docs.html"),
        name="api-docs",
    ),
    path("", include("reports.urls")),
]
