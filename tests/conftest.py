"""The whole test run shares one embedded PostgreSQL and Redis; each test gets people with roles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django.test import Client
    from rest_framework.test import APIClient

    from accounts.models import Person, Site
    from tests.live import Portal

REPOSITORY = Path(__file__).resolve().parent.parent
_services = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start the services once, in the process that hands out the tests."""
    if hasattr(config, "workerinput") or os.environ.get("DATABASE_URL"):
        return
    from lungportal.runtime.services import embedded_services
    from lungportal.settings import test

    _services.enter_context(embedded_services(Path(test.ENVIRONMENT.data)))


def pytest_unconfigure(config: pytest.Config) -> None:
    _services.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if shared_folder().is_dir():
        return
    reason = f"the data folder {shared_folder()} is not there (LUNGPORTAL_SHARED names another place)"
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason=reason))


def shared_folder() -> Path:
    return Path(os.environ.get("LUNGPORTAL_SHARED", REPOSITORY.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real scans beside the project."""
    return shared_folder()


@pytest.fixture(scope="session")
def running_stack() -> Iterator[Portal]:
    """A whole portal with the demo accounts, started with bin/up and stopped at the end."""
    from tests.live import portal

    with portal() as running:
        yield running


@pytest.fixture(scope="session")
def phantom_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The first study of the demo as DICOM files."""
    from scans.dicom.phantom import demo_specs, make_phantom, write_dicom

    study = demo_specs()[0]
    return list(write_dicom(make_phantom(study.phantom), tmp_path_factory.mktemp("phantom"), study))


@pytest.fixture(autouse=True)
def _storage_of_its_own(settings: Any, tmp_path: Path) -> None:
    """Each test stores its files apart."""
    (tmp_path / "spool").mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "spool")
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "scans.storage.ContentStorage",
            "OPTIONS": {"location": str(tmp_path / "storage")},
        },
    }


@pytest.fixture
def site(db: None) -> Site:
    from tests.factories import SiteFactory

    return SiteFactory(code="north", name="North Clinic")


@pytest.fixture
def other_site(db: None) -> Site:
    from tests.factories import SiteFactory

    return SiteFactory(code="south", name="South Clinic")


def _person(role: str, site: Site) -> Person:
    from tests.factories import PersonFactory

    return PersonFactory(
        email=f"{role}@north.example", name=f"{role.capitalize()} North", role=role, site=site
    )


@pytest.fixture
def radiologist(site: Site) -> Person:
    return _person("radiologist", site)


@pytest.fixture
def technician(site: Site) -> Person:
    return _person("technician", site)


@pytest.fixture
def referrer(site: Site) -> Person:
    return _person("referrer", site)


@pytest.fixture
def researcher(site: Site) -> Person:
    return _person("researcher", site)


@pytest.fixture
def administrator(site: Site) -> Person:
    return _person("administrator", site)


@pytest.fixture
def stranger(other_site: Site) -> Person:
    """A radiologist of another hospital."""
    from tests.factories import PersonFactory

    return PersonFactory(email="radiologist@south.example", role="radiologist", site=other_site)


@pytest.fixture
def client_of() -> Callable[[Person], Client]:
    """A browser in which a person is signed in."""
    from django.test import Client

    def signed_in(person: Person) -> Client:
        client = Client()
        client.force_login(person)
        return client

    return signed_in


@pytest.fixture
def api_of() -> Callable[[Person], APIClient]:
    """A program that holds a token of a person."""
    from rest_framework.test import APIClient

    from accounts.tokens import create_token

    def with_token(person: Person) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {create_token(person)}")
        return client

    return with_token
