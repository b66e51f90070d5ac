"""The environment is read once, and a wrong value is answered with a sentence that helps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from lungportal.runtime.proof import production_environment
from lungportal.settings.environment import (
    DatabaseAddress,
    Environment,
    RedisAddress,
    StorageAddress,
    refuse_weak_secret,
    settings_module,
)

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = production_environment()


def test_a_database_behind_a_socket_is_named_by_its_folder() -> None:
    address = DatabaseAddress.parse("postgresql://portal@/lungs?host=/run/postgresql")
    assert (address.name, address.user, address.host, address.port) == (
        "lungs",
        "portal",
        "/run/postgresql",
        "",
    )


def test_a_database_over_the_network_keeps_password_port_and_options() -> None:
    entry = DatabaseAddress.parse("postgresql://p:s%40fe@db.example.org:5433/lungs?sslmode=require").django()
    assert entry["PASSWORD"] == "s@fe"
    assert entry["PORT"] == "5433"
    assert entry["OPTIONS"] == {"sslmode": "require"}


def test_passwords_stay_out_of_what_is_printed() -> None:
    assert "hidden" not in repr(DatabaseAddress.parse("postgresql://p:hidden@h/d"))
    assert "hidden" not in repr(RedisAddress.parse("redis://:hidden@h/0"))


@pytest.mark.parametrize(
    ("url", "broker", "cache"),
    [
        ("redis://host:6380/1", "redis://host:6380/1", "redis://host:6380/1"),
        ("redis+socket:///run/r.sock", "redis+socket:///run/r.sock", "unix:///run/r.sock"),
        ("rediss://host/0", "rediss://host/0?ssl_cert_reqs=required", "rediss://host/0"),
    ],
)
def test_one_redis_address_serves_broker_and_cache(url: str, broker: str, cache: str) -> None:
    address = RedisAddress.parse(url)
    assert (address.broker, address.cache) == (broker, cache)


def test_storage_is_a_folder_or_a_bucket() -> None:
    assert StorageAddress.parse("file:///srv/scans%20here").folder == Path("/srv/scans here")
    entry = StorageAddress.parse("s3://scans/portal?endpoint=https://s3.example.org").django()
    assert entry["BACKEND"] == "storages.backends.s3.S3Storage"
    assert entry["OPTIONS"]["bucket_name"] == "scans"
    assert entry["OPTIONS"]["location"] == "portal"
    assert entry["OPTIONS"]["endpoint_url"] == "https://s3.example.org"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "mysql://host/name"),
        ("DATABASE_URL", "postgresql://host/"),
        ("REDIS_URL", "http://host"),
        ("REDIS_URL", "redis+socket://"),
        ("STORAGE_URL", "ftp://host"),
        ("STORAGE_URL", "s3://"),
        ("STORAGE_URL", "file://folder"),
        ("LUNGPORTAL_DATA", ""),
        ("LUNGPORTAL_SECRET_KEY", ""),
        ("LUNGPORTAL_QUIET_SECONDS", "soon"),
        ("LUNGPORTAL_QUIET_SECONDS", "-1"),
        ("LUNGPORTAL_DEBUG", "perhaps"),
        ("LUNGPORTAL_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(name: str, value: str) -> None:
    given = {**GOOD, name: value}
    if name == "STORAGE_URL" or value:
        with pytest.raises(ImproperlyConfigured, match=name):
            Environment.read(given)
    else:
        with pytest.raises(ImproperlyConfigured, match=f"{name} is not set"):
            Environment.read(given)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="LUNGPORTAL_ENV"):
        settings_module({"LUNGPORTAL_ENV": "prod"})


def test_a_careful_production_environment_is_accepted() -> None:
    Environment.read(GOOD).refuse_unsafe()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LUNGPORTAL_SECRET_KEY", "short", "too weak"),
        ("LUNGPORTAL_SECRET_KEY", "ab" * 40, "too weak"),
        ("LUNGPORTAL_SECRET_KEY", "django-insecure-" + "q8w7e6r5t4y3u2i1o0p" * 3, "looks like a default"),
        ("LUNGPORTAL_DEBUG", "1", "patient data"),
        ("LUNGPORTAL_ALLOWED_HOSTS", "", "is empty"),
        ("LUNGPORTAL_ALLOWED_HOSTS", "*", "name the hosts"),
    ],
)
def test_production_refuses_what_is_unsafe(name: str, value: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        Environment.read({**GOOD, name: value}).refuse_unsafe()


def test_the_advice_of_the_refusal_makes_a_secret_that_is_accepted() -> None:
    advice = "import secrets; print(secrets.token_urlsafe(50))"
    made = subprocess.run([sys.executable, "-c", advice], capture_output=True, text=True, check=True)
    refuse_weak_secret(made.stdout.strip())


def test_the_production_settings_do_not_load_with_a_weak_secret() -> None:
    environment = {**os.environ, **GOOD, "LUNGPORTAL_SECRET_KEY": "short"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "LUNGPORTAL_SECRET_KEY is too weak" in done.stderr
