"""For tests. The services start later (tests/conftest.py); here only their addresses are needed.

The folder carries the process id, so that two test runs on one machine do not meet; the workers of
pytest-xdist inherit it through the environment.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from lungportal.runtime.places import Places
from lungportal.settings.base import *  # noqa: F403
from lungportal.settings.base import from_environment
from lungportal.settings.environment import Environment

_folder = os.environ.setdefault(
    "LUNGPORTAL_TEST_FOLDER", str(Path(tempfile.gettempdir()) / f"lungportal-test-{os.getpid()}")
)
_places = Places.of(_folder)

ENVIRONMENT = Environment.read(
    os.environ,
    defaults={
        "LUNGPORTAL_DATA": str(_places.data),
        "DATABASE_URL": _places.database_url,
        "REDIS_URL": _places.redis_url,
        "LUNGPORTAL_SECRET_KEY": "only for tests, never for people, long enough for Django",
        "LUNGPORTAL_ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
    },
)
globals().update(from_environment(ENVIRONMENT))

FILE_UPLOAD_TEMP_DIR = None  # its folder is made when the services start
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True  # no scan of all static files for each test client
