"""Other programs' DICOMweb clients against a running portal: dicomweb-client and Orthanc, unchanged."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread

from tests.dicom_files import ct_image
from tests.live import Portal

pytestmark = pytest.mark.stack

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PATIENCE_S = 60
STUDY, SERIES, PATIENT = "2.25.88021", "2.25.88022", "W-1"


def image(number: int) -> bytes:
    """Of a patient of its own: other modules damage theirs in the same archive, in any order."""
    return ct_image(number, study=STUDY, series=SERIES, PatientID=PATIENT)


@pytest.fixture(scope="module")
def token(running_stack: Portal) -> str:
    return running_stack.token("radiologist")


@pytest.fixture(scope="module")
def client(running_stack: Portal, token: str) -> DICOMwebClient:
    """Three images were stored by STOW-RS."""
    session = requests.Session()
    session.headers["Authorization"] = f"Token {token}"
    made = DICOMwebClient(f"{running_stack.base_url}/dicomweb", session=session)
    made.store_instances([dcmread(io.BytesIO(image(n))) for n in (1, 2, 3)])
    return made


def test_dicomweb_client_finds_studies_series_and_instances(client: DICOMwebClient) -> None:
    (study,) = client.search_for_studies(
        search_filters={"PatientName": "doe*", "StudyInstanceUID": STUDY},
        fields=["StudyDescription"], fuzzymatching=True, limit=5, offset=0,
    )  # fmt: skip
    assert Dataset.from_json(study).NumberOfStudyRelatedInstances == 3
    (series,) = client.search_for_series(STUDY)
    assert Dataset.from_json(series).SeriesInstanceUID == SERIES
    assert len(client.search_for_instances(STUDY, SERIES)) == 3
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    assert len(client.search_for_instances(STUDY, limit=2, get_remaining=True)) == 3


def test_dicomweb_client_retrieves_metadata(running_stack: Portal, client: DICOMwebClient) -> None:
    """Its Host header leaves out the port (0.61.2), so the addresses in its answers lack the port too."""
    assert len(client.retrieve_study_metadata(STUDY)) == 3
    assert len(client.retrieve_series_metadata(STUDY, SERIES)) == 3
    one = client.retrieve_instance_metadata(STUDY, SERIES, f"{SERIES}.1")
    path = urlsplit(one["7FE00010"]["BulkDataURI"]).path
    (pixels,) = client.retrieve_bulkdata(f"{running_stack.base_url}{path}")
    assert pixels == dcmread(io.BytesIO(image(1))).PixelData


def test_dicomweb_client_retrieves_files(client: DICOMwebClient) -> None:
    one = client.retrieve_instance(STUDY, SERIES, f"{SERIES}.1")
    assert one.PixelData == dcmread(io.BytesIO(image(1))).PixelData
    assert len(client.retrieve_series(STUDY, SERIES)) == 3
    assert len(client.retrieve_study(STUDY)) == 3


def test_dicomweb_client_retrieves_frames_and_pictures(client: DICOMwebClient) -> None:
    for media_types in (None, (("application/octet-stream", "1.2.840.10008.1.2.1"),)):
        (frame,) = client.retrieve_instance_frames(STUDY, SERIES, f"{SERIES}.1", [1], media_types)
        assert len(frame) == 2048
    shown = client.retrieve_instance_rendered(
        STUDY, SERIES, f"{SERIES}.1", ("image/png",), params={"window": "-600,1500,linear"}
    )
    assert shown.startswith(b"\x89PNG")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def orthanc(folder: Path, portal: Portal, token: str) -> Iterator[str]:
    """Orthanc with its DICOMweb plugin, which knows the portal as a server."""
    port = _free_port()
    server = {
        "Url": f"{portal.base_url}/dicomweb/",
        "HttpHeaders": {"Authorization": f"Token {token}"},
        "HasDelete": False,
    }
    options = {
        "HttpPort": port, "DicomPort": _free_port(), "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False, "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"), "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Servers": {"portal": server}},
    }  # fmt: skip
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(options))
    with (folder / "orthanc.log").open("w") as log:
        process = subprocess.Popen(["Orthanc", str(configuration)], stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            requests.get(f"{address}/system", timeout=2).raise_for_status()
            return
        except requests.RequestException:
            time.sleep(0.2)
    raise AssertionError("Orthanc did not start")


def post(address: str, body: Any) -> Any:
    answer = requests.post(address, json=body, timeout=PATIENCE_S)
    assert answer.ok, answer.text
    return answer.json()


@pytest.mark.skipif(
    not (shutil.which("Orthanc") and PLUGIN.exists()), reason="Orthanc with its DICOMweb plugin is not here"
)
def test_orthanc_queries_retrieves_and_stores(
    running_stack: Portal, token: str, client: DICOMwebClient, tmp_path: Path
) -> None:
    with orthanc(tmp_path, running_stack, token) as address:
        servers = f"{address}/dicom-web/servers/portal"
        found = post(f"{servers}/qido", {"Uri": "/studies", "Arguments": {"PatientID": PATIENT}})
        assert len(found) == 1
        retrieved = post(f"{servers}/retrieve", {"Resources": [{"Study": STUDY}], "Synchronous": True})
        assert int(retrieved["ReceivedInstancesCount"]) == 3
        theirs = requests.get(f"{address}/instances", timeout=10).json()
        assert len(theirs) == 3
        other = ct_image(1, study="2.25.88", series="2.25.89", PatientID="W-2")
        kept = requests.post(f"{address}/instances", data=other, timeout=10).json()
        post(f"{servers}/stow", {"Resources": [kept["ID"]], "Synchronous": True})
    assert len(client.search_for_instances("2.25.88")) == 1
