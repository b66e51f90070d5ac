"""Pages of the networks."""

from __future__ import annotations

from django.urls import path

from inference import network_pages

urlpatterns = [
    path("", network_pages.index, name="networks"),
    path("<uuid:pk>/", network_pages.show, name="network"),
]
