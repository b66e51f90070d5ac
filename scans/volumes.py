"""Volumes in the storage: built from a series, opened slice by slice."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from typing import BinaryIO

from django.core.files.storage import default_storage

from scans.dicom.headers import Header
from scans.dicom.volume import BuiltVolume, build_volume
from scans.dicom.volume_file import VolumeReader, write_volume
from scans.ingest.arrivals import INSTANCES
from scans.models import Instance, Series, Volume
from scans.storage import content_name, put

VOLUMES = "volumes"


def open_instance(instance: Instance) -> BinaryIO:
    """The bytes of an instance, as they came."""
    return default_storage.open(content_name(INSTANCES, instance.sha256), "rb")  # type: ignore[return-value]


def open_volume(volume: Volume) -> VolumeReader:
    """The volume in the storage; slices are read one by one."""
    return VolumeReader(default_storage.open(volume.file, "rb"))  # type: ignore[arg-type]


def build(instances: Sequence[Instance], headers: Sequence[Header]) -> BuiltVolume:
    """The volume of the instances of a series, in memory.

    Raises
    ------
    Refused : the pixels cannot be decoded or the slices do not make a volume.
    """
    return build_volume([(header, opener_of(one)) for one, header in zip(instances, headers, strict=True)])


def opener_of(instance: Instance) -> Callable[[], BinaryIO]:
    """A function that opens the bytes of an instance, for whoever builds volumes."""
    return lambda: open_instance(instance)


def keep(series: Series, built: BuiltVolume) -> Volume:
    """Store a built volume; the same voxels of a series once, and again where the file is lost."""
    known = Volume.objects.filter(series=series, digest=built.digest).first()
    if known is not None and default_storage.exists(known.file):
        return known
    with tempfile.TemporaryFile() as file:
        write_volume(file, built)
        name = put(VOLUMES, file)
    if known is not None:
        known.file = name
        known.save(update_fields=["file"])
        return known
    geometry = built.geometry
    volume, _ = Volume.objects.get_or_create(
        series=series,
        digest=built.digest,
        defaults={
            "site_id": series.site_id,
            "shape": list(geometry.shape),
            "spacing_mm": list(geometry.spacing_mm),
            "origin_mm": list(geometry.origin_mm),
            "direction": [part for axis in geometry.direction for part in axis],
            "sop_instance_uids": list(built.sop_instance_uids),
            "file": name,
        },
    )
    return volume
