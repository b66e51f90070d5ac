"""For an ASGI server, where one is preferred to gunicorn."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from lungportal.settings.environment import settings_module

os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings_module(os.environ))

application = get_asgi_application()
