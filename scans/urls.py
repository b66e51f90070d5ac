"""Pages of scans."""

from __future__ import annotations

from django.urls import path

from scans import views
from scans.deidentify import views as research
from scans.volume_views import volume_file, volume_geometry

urlpatterns = [
    path("upload/", views.upload, name="upload"),
    path("research/", research.show, name="research"),
    path("research/<uuid:pk>/zip/", research.download, name="research-download"),
    path("studies/<uuid:pk>/release/", research.release_study, name="study-release"),
    path("series/<uuid:pk>/slices/<int:index>/", views.slice_bytes, name="slice"),
    path("series/<uuid:pk>/volumes/<str:digest>/", volume_file, name="volume"),
    path("series/<uuid:pk>/volumes/<str:digest>/geometry/", volume_geometry, name="volume-geometry"),
]
