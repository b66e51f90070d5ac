"""Synthetic data sets in the very formats of the public ones, with known truth: for tests and for trying out.

Small chests, coarse voxels: nothing to train on, everything to read.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree as Tree

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from inference.cnn.data.lidc_marks import RATINGS
from inference.cnn.data.luna16 import Nodule, ball
from inference.cnn.data.metaimage import write_metaimage
from scans.dicom.headers import read_header
from scans.dicom.lungs import find_lungs
from scans.dicom.phantom import (
    NoduleSpec,
    PatientSpec,
    Phantom,
    PhantomSpec,
    StudySpec,
    make_phantom,
    series_uid,
    write_dicom,
)

READERS = 3
CROSS = ndimage.generate_binary_structure(2, 1)
NAMESPACE = "http://www.nih.gov"


def small_study(number: int) -> StudySpec:
    """A chest of 40 slices of 6 mm with two nodules; every number is another patient."""
    nodules = (NoduleSpec(22.0, "solid", "RUL"), NoduleSpec(16.0, "solid", "LLL"))
    spec = PhantomSpec(100 + number, nodules=nodules, slices=40, size=160, pixel_mm=2.25, increment_mm=6.0)
    patient = PatientSpec(f"PHANTOM-{number:04d}", f"Phantom^{number}", dt.date(1955, 1, 1), "F")
    return StudySpec(patient, dt.date(2026, 1, 5), f"PHANTOM-{number:04d}", spec)


@lru_cache(maxsize=8)
def small_phantom(number: int) -> Phantom:
    """The scan of `small_study`, made once."""
    return make_phantom(small_study(number).phantom)


def phantom_luna16(folder: Path, patients: int = 2) -> list[Phantom]:
    """`subset0/UID.mhd` and `.raw`, lung masks, `annotations.csv`, `candidates_V2.csv`."""
    made, annotations, candidates = [], [], []
    for name in ("subset0", "seg-lungs-LUNA16"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(patients):
        study = small_study(number)
        phantom, uid = small_phantom(number), series_uid(study)
        lungs = find_lungs(phantom.hu, phantom.geometry)
        values = np.where(lungs.mask, np.where(lungs.right, 4, 3), 0).astype(np.int16)
        write_metaimage(folder / "subset0" / f"{uid}.mhd", phantom.hu, phantom.geometry)
        write_metaimage(folder / "seg-lungs-LUNA16" / f"{uid}.mhd", values, phantom.geometry, compressed=True)
        annotations += [[uid, *one.center_mm, one.diameter_mm] for one in phantom.truth]
        candidates += [[uid, *one.center_mm, 1] for one in phantom.truth]
        candidates += [[uid, *phantom.geometry.to_mm((20, 80, 40 + 20 * k)).tolist(), 0] for k in range(4)]
        made.append(phantom)
    place = ["seriesuid", "coordX", "coordY", "coordZ"]
    _table(folder / "annotations.csv", [*place, "diameter_mm"], annotations)
    _table(folder / "candidates_V2.csv", [*place, "class"], candidates)
    return made


def _table(path: Path, header: list[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def phantom_lidc_dicom(folder: Path, patients: int = 2) -> list[Phantom]:
    """One folder per patient with a DICOM series and the reading XML of three readers beside it."""
    made = []
    for number in range(patients):
        study = small_study(number)
        phantom = small_phantom(number)
        place = folder / study.patient.patient_id / "study" / "series"
        paths = write_dicom(phantom, place, study)
        uids = [read_header(path.read_bytes()).sop_instance_uid for path in paths]
        Tree.ElementTree(_reading(phantom, series_uid(study), uids)).write(
            place / f"{number:03d}.xml", encoding="UTF-8", xml_declaration=True
        )
        made.append(phantom)
    return made


def reader_mask(phantom: Phantom, number: int, reader: int) -> NDArray[np.bool_]:
    """What one reader outlines of one nodule, over the whole scan; each draws a little wider."""
    truth = phantom.truth[number]
    outlined = Nodule(truth.center_mm, truth.diameter_mm * (1 + 0.1 * reader))
    return ball(phantom.geometry, outlined, np.zeros(3, np.intp), phantom.geometry.shape)


def _reading(phantom: Phantom, uid: str, instances: list[str]) -> Tree.Element:
    root = Tree.Element("LidcReadMessage", {"xmlns": NAMESPACE})
    header = Tree.SubElement(root, "ResponseHeader")
    _say(header, SeriesInstanceUid=uid)
    for reader in range(READERS):
        session = Tree.SubElement(root, "readingSession")
        for number in range(len(phantom.truth)):
            _outlined(session, phantom, number, reader, instances)
        _pointed_at(session, "unblindedReadNodule", "roi", "edgeMap", (f"small {reader}", 12), instances)
        _pointed_at(session, "nonNodule", "", "locus", (f"other {reader}", 15), instances)
    return root


def _say(element: Tree.Element, **texts: object) -> None:
    for name, text in texts.items():
        Tree.SubElement(element, name).text = str(text)


def _outlined(
    session: Tree.Element, phantom: Phantom, number: int, reader: int, instances: list[str]
) -> None:
    nodule = Tree.SubElement(session, "unblindedReadNodule")
    _say(nodule, noduleID=f"Nodule {number + 1}")
    rated = {name: 6 if name == "calcification" else 1 + (number + reader) % 5 for name in RATINGS}
    _say(Tree.SubElement(nodule, "characteristics"), **rated)
    mask = reader_mask(phantom, number, reader)
    for k in np.flatnonzero(mask.any(axis=(1, 2))).tolist():
        roi = Tree.SubElement(nodule, "roi")
        z_mm = phantom.geometry.to_mm((k, 0, 0))[2]
        _say(roi, imageZposition=f"{z_mm:.6f}", imageSOP_UID=instances[k], inclusion="TRUE")
        for y, x in drawn_line(mask[k]):
            _say(Tree.SubElement(roi, "edgeMap"), xCoord=x, yCoord=y)


def drawn_line(section: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The first ring of pixels outside a convex section, (y, x) in the order in which it is walked."""
    ring = np.argwhere(ndimage.binary_dilation(section, CROSS) & ~section)
    middle = np.argwhere(section).mean(axis=0)
    order = np.argsort(np.arctan2(*(ring - middle).T))
    return [(int(y), int(x)) for y, x in ring[order]]


def _pointed_at(
    session: Tree.Element, kind: str, roi: str, point: str, named: tuple[str, int], instances: list[str]
) -> None:
    """A nodule below 3 mm, or a non-nodule: one point on one slice."""
    name, k = named
    mark = Tree.SubElement(session, kind)
    _say(mark, **{"noduleID" if roi else "nonNoduleID": name})
    place = Tree.SubElement(mark, roi) if roi else mark
    _say(place, imageZposition=k, imageSOP_UID=instances[k])
    if roi:
        _say(place, inclusion="TRUE")
    _say(Tree.SubElement(place, point), xCoord=40, yCoord=60)


def phantom_image_folders(folder: Path, patients: int = 4) -> None:
    """Class folders `normal/` and `nodule/`: three neighbouring slices of each patient as PNG."""
    for number in range(patients):
        phantom = small_phantom(number)
        k = round(float(phantom.geometry.to_index(phantom.truth[0].center_mm)[0]))
        label = "nodule" if number % 2 else "normal"
        first = k - 1 if number % 2 else 4
        for i in range(3):
            _picture(folder / label / f"{number:02d}-{i}.png", lung_window(phantom.hu[first + i]))


def phantom_mask_folders(folder: Path, patients: int = 2) -> None:
    """`images/NAME.png` with `masks/NAME.png`: the slice through each nodule, and one without."""
    for number in range(patients):
        phantom = small_phantom(number)
        for i, truth in enumerate(phantom.truth):
            k = round(float(phantom.geometry.to_index(truth.center_mm)[0]))
            mask = reader_mask(phantom, i, 0)[k].astype(np.uint8) * 255
            _picture(folder / "images" / f"{number}-{i}.png", lung_window(phantom.hu[k]))
            _picture(folder / "masks" / f"{number}-{i}.png", mask)
        _picture(folder / "images" / f"{number}-none.png", lung_window(phantom.hu[2]))


def lung_window(hu: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Grey values of the window that radiologists look at lungs in: -1350 to 150 HU."""
    return np.asarray(np.clip((hu.astype(np.float32) + 1350) / 1500 * 255, 0, 255), np.uint8)


def _picture(path: Path, grey: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)
