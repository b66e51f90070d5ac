"""Pages of scans."""

from __future__ import annotations

from django.urls import path

from scans import views
from scans.volume_views import volume_file, volume_geometry

urlpatterns = [
    path("upload/", views.upload, name="upload"),
    path("series/<uuid:pk>/slices/<int:index>/", views.slice_bytes, name="slice"),
    path("series/<uuid:pk>/volumes/<str:digest>/", volume_file, name="volume"),
    path("series/<uuid:pk>/volumes/<str:digest>/geometry/", volume_geometry, name="volume-geometry"),
]
