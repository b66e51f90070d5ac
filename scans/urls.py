"""Pages of scans."""

from __future__ import annotations

from django.urls import path

from scans import views

urlpatterns = [
    path("upload/", views.upload, name="upload"),
    path("series/<uuid:pk>/slices/<int:index>/", views.slice_bytes, name="slice"),
]
