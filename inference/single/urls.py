"""Addresses of the pages of single images."""

from __future__ import annotations

from django.urls import path

from inference.single import views

urlpatterns = [
    path("", views.send, name="image-send"),
    path("<uuid:pk>/", views.image, name="image"),
    path("<uuid:pk>/progress/", views.progress, name="image-progress"),
    path("<uuid:pk>/picture/<str:window>/", views.picture, name="image-picture"),
    path("<uuid:pk>/forget/", views.forget, name="image-forget"),
]
