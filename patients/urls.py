"""Pages of patients."""

from __future__ import annotations

from django.urls import path

from patients import views

urlpatterns = [
    path("", views.index, name="patients"),
    path("<uuid:pk>/", views.show, name="patient"),
    path("<uuid:pk>/edit/", views.edit, name="patient-edit"),
    path("<uuid:pk>/risk-profiles/", views.add_profile, name="risk-profile-add"),
]
