"""What gunicorn serves."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from lungportal.settings.environment import settings_module

os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings_module(os.environ))

application = get_wsgi_application()
# Loaded once before the workers are forked, not by each worker in somebody's first request.
_ = get_resolver().url_patterns
