"""Pages of one's own account."""

from __future__ import annotations

from django.urls import path

from accounts import views

urlpatterns = [
    path("", views.account, name="account"),
    path("tokens/", views.create, name="token-create"),
    path("tokens/<str:key>/revoke/", views.revoke, name="token-revoke"),
]
