"""What holds in every mode. The modules beside this one say what `ENVIRONMENT` is made of."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF

from lungportal.settings.environment import Environment

django_stubs_ext.monkeypatch()  # lets classes such as ModelForm[Patient] name their row at run time

BASE_DIR = Path(__file__).resolve().parent.parent.parent

DEBUG = False
DATA: Path  # these two are set by `from_environment`
QUIET_SECONDS: float
SENSITIVITY_MAPS: bool
ROOT_URLCONF = "lungportal.urls"
WSGI_APPLICATION = "lungportal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.Person"

INSTALLED_APPS = [
    "unfold",  # before the admin, whose templates it replaces
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "pgtrigger",
    "core",
    "accounts",
    "patients",
    "scans",
    "inference",
    "reports",
    "lungportal",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "core.admin_csp.AdminPolicyMiddleware",  # after the one before, whose policy it loosens for /admin/
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "core.audit.AuditMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

# Who signs in, and how
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapter.ClosedAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "20/m/ip,5/300s/key"}

# Sessions live in the database: a lost Redis logs nobody out.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "worker-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.IsMember"],
    "DEFAULT_PAGINATION_CLASS": "core.pagination.NewestFirstCursor",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "core.problems.problem_details_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=180)}  # for programs; the account page shows the end and revokes
UNFOLD = {
    "SITE_TITLE": "LungPortal",
    "SITE_HEADER": "LungPortal",
    "SITE_URL": "/",
    "SHOW_LANGUAGES": False,
    "STYLES": ["core.admin.console_style"],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "core.admin.console_icon"}],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "lungportal",
    "DESCRIPTION": "Lung nodules on chest CT. Research use only; a radiologist decides.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["lungportal.schema.only_rest"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "lungportal.schema.with_problems",
    ],
    "ENUM_NAME_OVERRIDES": {
        "JobState": "inference.models.Job.State",
        "NetworkState": "inference.models.Network.State",
        "ReportState": "reports.models.Report.State",
    },
}

# Uploads: scans are streamed, so what is held in memory stays small whatever is sent.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 5000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000
FILE_UPLOAD_PERMISSIONS = 0o600

DELETION_GRACE_DAYS = 7
"""How long a study that was deleted can be brought back."""

# A copy of the celery.py options; broker and schedule folder are set in `from_environment`.
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_TASK_DEFAULT_QUEUE = "ingest"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 180.0  # a child of the GPU worker loads the networks first
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the hard limit: shorter, and a task that is still running is started a second time.
    "visibility_timeout": 900,
    # The defaults look for lost messages about every 100 s.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
}
CELERY_TASK_ROUTES = {
    "inference.tasks.reap_jobs": {"queue": "ingest"},  # must run while the GPU worker is busy or dead
    "inference.tasks.plan_reading": {"queue": "ingest"},
    "inference.tasks.ask_images_again": {"queue": "ingest"},
    "inference.tasks.forget_images": {"queue": "ingest"},
    "inference.tasks.*": {"queue": "gpu"},
}


def _every(seconds: float, task: str) -> dict[str, Any]:
    """A periodic task whose message goes stale before the third one is sent: no backlog after a pause."""
    return {"task": task, "schedule": seconds, "options": {"queue": "ingest", "expires": 2 * seconds}}


CELERY_BEAT_SCHEDULE = {
    "flush the outbox": _every(5.0, "core.tasks.flush_outbox"),
    "complete quiet series": _every(2.0, "scans.tasks.complete_quiet_series"),
    "make results again": _every(30.0, "reports.tasks.promise_wanted_results"),
    "send results again": _every(30.0, "scans.tasks.promise_due_results"),
    "delete studies that are due": _every(600.0, "scans.tasks.delete_due_studies"),
    "reap lost jobs": _every(10.0, "inference.tasks.reap_jobs"),
    "ask for single images again": _every(20.0, "inference.tasks.ask_images_again"),
    "forget single images": _every(600.0, "inference.tasks.forget_images"),
}


def from_environment(environment: Environment) -> dict[str, Any]:
    """The settings that the environment decides, in every mode alike."""
    data = environment.data
    return {
        "ENVIRONMENT": environment,
        "DATA": data,
        "SECRET_KEY": environment.secret_key,
        "ALLOWED_HOSTS": environment.allowed_hosts,
        "CSRF_TRUSTED_ORIGINS": environment.csrf_origins,
        "QUIET_SECONDS": environment.quiet_seconds,
        "SENSITIVITY_MAPS": environment.sensitivity,
        "DATABASES": {
            "default": {**environment.database.django(), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
        },
        "CACHES": {
            "default": {
                "BACKEND": "lungportal.cache.ForgivingRedisCache",
                "LOCATION": environment.redis.cache,
                "KEY_PREFIX": "lungportal",
                "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
            }
        },
        "STORAGES": {
            "default": environment.storage.django(),
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        "FILE_UPLOAD_TEMP_DIR": str(data / "tmp"),
        "CELERY_BROKER_URL": environment.redis.broker,
        "CELERY_BEAT_SCHEDULE_FILENAME": str(data / "beat" / "schedule"),
        "LOGGING": logging_config(environment.log_format),
    }


def logging_config(log_format: str) -> dict[str, Any]:
    """One line an event on standard error; the formatters leave out values that may name a patient."""
    formatter = "lungportal.logs.JSONFormatter" if log_format == "json" else "lungportal.logs.TextFormatter"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # These two keep handlers of their own in DEBUG and by mail; one road out is enough.
            "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            # A line for every periodic message is too much; failures stay.
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "pydicom": {"level": "ERROR"},  # its warnings quote header values
            "highdicom": {"level": "ERROR"},  # so do its warnings, and it tells every copied module
            "pynetdicom": {"level": "CRITICAL"},  # its errors quote what callers send; ours say what matters
        },
    }
