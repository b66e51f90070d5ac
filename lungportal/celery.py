"""The Celery application; its options stand in the settings under CELERY_."""

from __future__ import annotations

import os

from celery import Celery

from lungportal.settings.environment import settings_module

os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings_module(os.environ))

app = Celery("lungportal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
