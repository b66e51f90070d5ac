"""For `bin/up` on one machine, and for work on the code."""

from __future__ import annotations

import os
import secrets

from lungportal.runtime.places import Places
from lungportal.settings.base import *  # noqa: F403
from lungportal.settings.base import BASE_DIR, from_environment
from lungportal.settings.environment import Environment

_places = Places.of(os.environ.get("LUNGPORTAL_DATA") or BASE_DIR / "var")

ENVIRONMENT = Environment.read(
    os.environ,
    defaults={
        "LUNGPORTAL_DATA": str(_places.data),
        "DATABASE_URL": _places.database_url,
        "REDIS_URL": _places.redis_url,
        "LUNGPORTAL_SECRET_KEY": secrets.token_urlsafe(50),
        "LUNGPORTAL_ALLOWED_HOSTS": "127.0.0.1,localhost,[::1]",
    },
)
globals().update(from_environment(ENVIRONMENT))

# Error pages with source and values only on request: people look at real scans with bin/up too.
DEBUG = ENVIRONMENT.debug
if not (_places.data / "tmp").is_dir():  # a command before the first bin/up
    FILE_UPLOAD_TEMP_DIR = None
INTERNAL_IPS = ["127.0.0.1"]
WHITENOISE_USE_FINDERS = True
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
