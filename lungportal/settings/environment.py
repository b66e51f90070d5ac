"""What the machine tells the portal: read once from the environment, checked, and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

from django.core.exceptions import ImproperlyConfigured

MODES = ("development", "production", "test")
SECRET_LENGTH = 50
SECRET_VARIETY = 10
WEAK_SECRETS = ("changeme", "change-me", "insecure", "secret", "default", "example")


def settings_module(environ: Mapping[str, str]) -> str:
    """The settings module that LUNGPORTAL_ENV asks for."""
    mode = environ.get("LUNGPORTAL_ENV", "development")
    if mode not in MODES:
        raise ImproperlyConfigured(f"LUNGPORTAL_ENV is {mode!r}; it must be one of {', '.join(MODES)}.")
    return f"lungportal.settings.{mode}"


@dataclass(frozen=True)
class DatabaseAddress:
    """A PostgreSQL address such as `postgresql://user:password@host:5432/name?sslmode=require`.

    A Unix socket is named by its folder: `postgresql://user@/name?host=/run/postgresql`.
    """

    name: str
    user: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str) -> DatabaseAddress:
        parts = _split("DATABASE_URL", url, ("postgresql", "postgres"))
        name = unquote(parts.path.lstrip("/"))
        if not name:
            raise ImproperlyConfigured("DATABASE_URL names no database; it ends in /NAME.")
        options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        host = options.pop("host", "") or unquote(parts.hostname or "")
        port = options.pop("port", "") or (str(parts.port) if parts.port else "")
        return cls(name, unquote(parts.username or ""), unquote(parts.password or ""), host, port, options)

    def django(self) -> dict[str, Any]:
        """The entry of Django's DATABASES."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": self.name,
            "USER": self.user,
            "PASSWORD": self.password,
            "HOST": self.host,
            "PORT": self.port,
            "OPTIONS": dict(self.options),
        }


@dataclass(frozen=True)
class RedisAddress:
    """`redis://host`, `rediss://host` (TLS) or `redis+socket:///path`, as broker and as cache."""

    url: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        parts = _split("REDIS_URL", url, ("redis", "rediss", "redis+socket"))
        if parts.scheme == "redis+socket" and not parts.path.startswith("/"):
            raise ImproperlyConfigured("REDIS_URL names no socket; write redis+socket:///full/path.")
        return cls(url)

    @property
    def broker(self) -> str:
        """For Celery, which wants to be told how a TLS certificate is checked."""
        parts = urlsplit(self.url)
        query = parse_qs(parts.query)
        if parts.scheme != "rediss" or "ssl_cert_reqs" in query:
            return self.url
        query["ssl_cert_reqs"] = ["required"]
        return urlunsplit(parts._replace(query=urlencode(query, doseq=True)))

    @property
    def cache(self) -> str:
        """For redis-py, which calls a socket `unix://`."""
        return self.url.replace("redis+socket://", "unix://", 1)


@dataclass(frozen=True)
class StorageAddress:
    """Where the bytes of scans lie: `file:///folder` or `s3://bucket/prefix?endpoint=https://host`."""

    folder: Path | None = None
    bucket: str = ""
    prefix: str = ""
    endpoint: str = ""

    @classmethod
    def parse(cls, url: str) -> StorageAddress:
        parts = _split("STORAGE_URL", url, ("file", "s3"))
        if parts.scheme == "s3":
            if not parts.hostname:
                raise ImproperlyConfigured("STORAGE_URL names no bucket; write s3://BUCKET.")
            endpoint = parse_qs(parts.query).get("endpoint", [""])[-1]
            return cls(bucket=parts.netloc, prefix=parts.path.strip("/"), endpoint=endpoint)
        if not parts.path.startswith("/") or parts.netloc:
            raise ImproperlyConfigured("STORAGE_URL names no folder; write file:///full/path.")
        return cls(folder=Path(unquote(parts.path)))

    def django(self) -> dict[str, Any]:
        """The entry `default` of Django's STORAGES."""
        if self.folder is not None:
            return {"BACKEND": "scans.storage.ContentStorage", "OPTIONS": {"location": str(self.folder)}}
        options: dict[str, Any] = {
            "bucket_name": self.bucket,
            "location": self.prefix,
            "default_acl": None,
            "querystring_auth": True,
            "file_overwrite": True,  # objects are named by the hash of their bytes
        }
        if self.endpoint:
            options["endpoint_url"] = self.endpoint
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


@dataclass(frozen=True)
class DicomNode:
    """Who we are among DICOM nodes, and the files for TLS (PEM; empty: no TLS)."""

    ae_title: str = "LUNGPORTAL"
    tls_certificate: str = ""
    tls_key: str = ""
    tls_authority: str = ""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> DicomNode:
        title = given.get("LUNGPORTAL_DICOM_AE_TITLE", "LUNGPORTAL").strip()
        if not 1 <= len(title) <= 16 or not title.isascii() or "\\" in title:
            raise ImproperlyConfigured(
                "LUNGPORTAL_DICOM_AE_TITLE has 1 to 16 ASCII characters without backslash."
            )
        files = (given.get(f"LUNGPORTAL_DICOM_TLS_{part}", "") for part in ("CERT", "KEY", "CA"))
        return cls(title, *files)


@dataclass(frozen=True)
class Environment:
    """Everything that differs between two installations."""

    data: Path
    database: DatabaseAddress
    redis: RedisAddress
    storage: StorageAddress
    dicom: DicomNode
    secret_key: str = field(repr=False)
    allowed_hosts: list[str]
    csrf_origins: list[str]
    quiet_seconds: float
    debug: bool
    log_format: str
    sensitivity: bool

    @classmethod
    def read(cls, environ: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> Environment:
        """Read and check all variables; `defaults` stand in for those that are not set."""
        given = {**(defaults or {}), **{key: value for key, value in environ.items() if value}}
        data = Path(_needed(given, "LUNGPORTAL_DATA")).expanduser().absolute()
        return cls(
            data=data,
            database=DatabaseAddress.parse(_needed(given, "DATABASE_URL")),
            redis=RedisAddress.parse(_needed(given, "REDIS_URL")),
            storage=StorageAddress.parse(given.get("STORAGE_URL") or (data / "storage").as_uri()),
            dicom=DicomNode.parse(given),
            secret_key=_needed(given, "LUNGPORTAL_SECRET_KEY"),
            allowed_hosts=_list(given.get("LUNGPORTAL_ALLOWED_HOSTS", "")),
            csrf_origins=_list(given.get("LUNGPORTAL_CSRF_ORIGINS", "")),
            quiet_seconds=_seconds("LUNGPORTAL_QUIET_SECONDS", given.get("LUNGPORTAL_QUIET_SECONDS", "10")),
            debug=_flag("LUNGPORTAL_DEBUG", given.get("LUNGPORTAL_DEBUG", "0")),
            log_format=_choice(
                "LUNGPORTAL_LOG_FORMAT", given.get("LUNGPORTAL_LOG_FORMAT", "text"), ("text", "json")
            ),
            sensitivity=_flag("LUNGPORTAL_SENSITIVITY", given.get("LUNGPORTAL_SENSITIVITY", "0")),
        )

    def refuse_unsafe(self) -> None:
        """Raise unless these values are fit for production."""
        if self.debug:
            raise ImproperlyConfigured(
                "LUNGPORTAL_DEBUG is on: error pages would show patient data in production."
            )
        refuse_weak_secret(self.secret_key)
        if not self.allowed_hosts:
            raise ImproperlyConfigured(
                "LUNGPORTAL_ALLOWED_HOSTS is empty: name the hosts that people will type."
            )
        if "*" in self.allowed_hosts:
            raise ImproperlyConfigured(
                "LUNGPORTAL_ALLOWED_HOSTS is '*': name the hosts that people will type."
            )


def refuse_weak_secret(secret: str) -> None:
    """Raise on a secret key that is short, of few characters, or a known default."""
    advice = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
    if any(word in secret.lower() for word in WEAK_SECRETS):
        raise ImproperlyConfigured(f"LUNGPORTAL_SECRET_KEY looks like a default; {advice}")
    if len(secret) < SECRET_LENGTH or len(set(secret)) < SECRET_VARIETY:
        raise ImproperlyConfigured(
            f"LUNGPORTAL_SECRET_KEY is too weak: it needs {SECRET_LENGTH} varied characters; {advice}"
        )


def _needed(given: Mapping[str, str], name: str) -> str:
    value = given.get(name, "").strip()
    if not value:
        raise ImproperlyConfigured(f"{name} is not set.")
    return value


def _split(name: str, url: str, schemes: tuple[str, ...]) -> Any:
    parts = urlsplit(url)
    if parts.scheme not in schemes:
        raise ImproperlyConfigured(f"{name} must start with one of {', '.join(s + '://' for s in schemes)}.")
    return parts


def _list(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be a number of seconds from 0 to 3600.")
    return seconds


def _flag(name: str, value: str) -> bool:
    return _choice(name, value.lower(), ("0", "1", "false", "true")) in ("1", "true")


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")
    return value
