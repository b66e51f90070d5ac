"""For a server behind a TLS proxy; refuses to start with unsafe values."""

from __future__ import annotations

import os

from lungportal.settings.base import *  # noqa: F403
from lungportal.settings.base import BASE_DIR, from_environment
from lungportal.settings.base import MIDDLEWARE as BASE_MIDDLEWARE
from lungportal.settings.environment import Environment

ENVIRONMENT = Environment.read(os.environ, defaults={"LUNGPORTAL_LOG_FORMAT": "json"})
ENVIRONMENT.refuse_unsafe()
globals().update(from_environment(ENVIRONMENT))

DEBUG = False
MIDDLEWARE = ["lungportal.proxy.ClientAddressMiddleware", *BASE_MIDDLEWARE]
ALLAUTH_TRUSTED_PROXY_COUNT = 1
STATIC_ROOT = BASE_DIR / "staticfiles"  # gathered when the image is built
STORAGES = {
    "default": ENVIRONMENT.storage.django(),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked by the container engine, without TLS
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
