"""The listener as its callers see it."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from django.core.files.storage import default_storage
from pydicom.uid import CTImageStorage
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from scans.dimse.listener import Listener
from scans.models import Instance, Peer
from scans.storage import content_name
from tests.dicom_files import ct_image
from tests.scans.dimse.conftest import SCANNER, dcmtk

pytestmark = pytest.mark.django_db(transaction=True)


def call(listener: Listener, title: str = SCANNER, **more: Any) -> Association:
    entity = AE(title)
    entity.add_requested_context(Verification)
    entity.add_requested_context(CTImageStorage)
    return entity.associate("127.0.0.1", listener.port, ae_title="LUNGPORTAL", **more)


def send(association: Association, content: bytes) -> Any:
    return association.send_c_store(pydicom.dcmread(io.BytesIO(content)))


def test_a_registered_scanner_is_answered(listener: Listener, scanner: Peer) -> None:
    done = dcmtk("echoscu", "-aet", SCANNER, "-aec", "LUNGPORTAL", "127.0.0.1", listener.port)

    assert done.returncode == 0, done.stderr


def test_an_image_is_stored_before_it_is_acknowledged(listener: Listener, scanner: Peer) -> None:
    association = call(listener)

    status = send(association, ct_image())

    (instance,) = Instance.objects.all()
    with default_storage.open(content_name("instances", instance.sha256)) as file:
        assert pydicom.dcmread(file) == pydicom.dcmread(io.BytesIO(ct_image()))
    assert (status.Status, instance.site) == (0x0000, scanner.site)
    association.release()
