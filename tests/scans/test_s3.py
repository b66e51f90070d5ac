"""The whole road into a bucket: STOW, originals, volume and upkeep, on an S3 server of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from accounts.models import Person
from lungportal.settings.environment import StorageAddress
from scans.ingest.complete import complete_study
from scans.models import Instance, Study, Volume
from scans.storage import content_name, free_bytes
from scans.volumes import open_instance, open_volume
from tests.dicom_files import chest

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server process, stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "log").open("w")
    program = Path(sys.executable).parent / "moto_server"
    process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                requests.get(f"{address}/moto-api/", timeout=2)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield address
    finally:
        process.kill()  # it keeps nothing, and may be slow to end by itself
        process.wait()


@pytest.fixture
def bucket(server: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The storage of the portal is a fresh bucket, as STORAGE_URL would say."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    requests.post(f"{server}/moto-api/reset", timeout=5).raise_for_status()
    made = boto3.resource("s3", endpoint_url=server).Bucket("archive")
    made.create()
    storage = StorageAddress.parse(f"s3://archive/scans?endpoint={server}").django()
    settings.STORAGES = {**settings.STORAGES, "default": storage}
    return made


def stow(client: APIClient, files: list[bytes]) -> Any:
    parts = [b"--mark\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files]
    kind = "multipart/related; boundary=mark"
    return client.generic("POST", "/dicomweb/studies", b"".join([*parts, b"--mark--"]), content_type=kind)


def test_from_stow_to_the_volume(
    bucket: Any, api_of: Callable[[Person], APIClient], technician: Person
) -> None:
    files = chest()
    client = api_of(technician)

    assert stow(client, files).status_code == 200
    assert stow(client, files[:5]).status_code == 200
    complete_study(Study.objects.get())
    volume = Volume.objects.get()
    kept = {entry.key for entry in bucket.objects.all()}
    hashes = Instance.objects.values_list("sha256", flat=True)
    assert kept == {f"scans/{content_name('instances', one)}" for one in hashes} | {f"scans/{volume.file}"}
    with open_instance(Instance.objects.get(instance_number=0)) as file:
        assert file.read() == files[0]
    assert open_volume(volume).slice(30).shape == (64, 64)
    assert free_bytes() is None


def test_a_lost_object_is_found(
    bucket: Any, api_of: Callable[[Person], APIClient], technician: Person
) -> None:
    stow(api_of(technician), chest(8))
    call_command("verify_archive")
    default_storage.delete(content_name("instances", Instance.objects.all()[0].sha256))

    with pytest.raises(CommandError, match="1 objects"):
        call_command("verify_archive")


def test_orphans_in_the_bucket_are_swept(bucket: Any) -> None:
    bucket.put_object(Key=f"scans/instances/ff/ff/{'f' * 64}", Body=b"nobody names me")
    call_command("sweep_orphans", "--delete", "--older-than-hours", "-1")

    assert list(bucket.objects.all()) == []
