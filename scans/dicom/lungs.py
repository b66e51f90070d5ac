"""Where the lungs are: classical, on a coarse grid, without any network.

Air below -400 HU inside the body; windpipe and main bronchi followed from above and taken out; each lung
closed with a ball of 10 mm, so that nodules on the pleura and vessels at the hilum lie inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scans.dicom.geometry import Geometry, Triple
from scans.dicom.orientation import Standard, standard

AIR_HU = -400
OUTSIDE_HU = -930
COARSE_MM = 2.5
SMALLEST_LUNG_ML = 60.0
CLOSING_MM = 10.0

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class LungMask:
    """Both lungs of one volume.

    `mask` has the voxels of the volume that was given; `right` tells the patient's right lung from the left
    within it. `touches_in_plane_border` is the share of the mask's slices in which it meets an edge of the
    picture (or of the reconstructed circle), `touches_first_or_last_slice` whether the scan ends in lung.
    """

    mask: Mask
    right: Mask
    right_ml: float
    left_ml: float
    touches_first_or_last_slice: bool
    touches_in_plane_border: float

    @property
    def ml(self) -> float:
        return self.right_ml + self.left_ml


@dataclass(frozen=True)
class _Coarse:
    """Block means of the volume in standard axis order."""

    hu: NDArray[np.float32]
    step: tuple[int, int, int]
    spacing_mm: Triple

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing_mm)) / 1000


def _coarse(hu: NDArray[np.int16], spacing_mm: Triple) -> _Coarse:
    """Mean of blocks of about 2.5 mm; a last, incomplete block is filled with the edge."""
    kz, ky, kx = (max(1, round(COARSE_MM / s)) for s in spacing_mm)
    sliced = hu[kz // 2 :: kz] if kz > 1 and hu.shape[0] > kz else hu
    pad = [(0, 0), (0, -sliced.shape[1] % ky), (0, -sliced.shape[2] % kx)]
    full = np.pad(sliced, pad, mode="edge") if pad[1][1] or pad[2][1] else sliced
    nz, ny, nx = full.shape[0], full.shape[1] // ky, full.shape[2] // kx
    total = np.zeros((nz, ny, nx), np.float32)
    for y in range(ky):
        for x in range(kx):
            total += np.maximum(full[:, y::ky, x::kx], -1024)
    step = (kz if sliced is not hu else 1, ky, kx)
    spacing = (spacing_mm[0] * step[0], spacing_mm[1] * ky, spacing_mm[2] * kx)
    return _Coarse(np.asarray(total / (ky * kx), np.float32), step, spacing)


def _joined_to_border(air: Mask) -> Mask:
    """Parts of each slice that meet the picture's edge."""
    flat = np.zeros((3, 3, 3), bool)
    flat[1] = ndimage.generate_binary_structure(2, 1)
    labels, _ = ndimage.label(air, flat)
    edges = (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1])
    found = np.unique(np.concatenate([e.ravel() for e in edges]))
    keep = np.zeros(int(labels.max()) + 1, bool)
    keep[found[found > 0]] = True
    return np.asarray(keep[labels], bool)


def _outside(coarse: _Coarse) -> Mask:
    """Air about the patient. Where the chest wall is cut off, only air thinner than lung counts."""
    air = coarse.hu < AIR_HU
    outside = _joined_to_border(air)
    body = _body(coarse)
    inside_ml = _enclosed_ml(air & ~outside & body, coarse)
    thin = _joined_to_border(ndimage.uniform_filter(coarse.hu, (1, 3, 3)) < OUTSIDE_HU)
    thin = ndimage.binary_dilation(thin, iterations=2) & outside
    if _enclosed_ml(air & ~thin & body, coarse) > 1.3 * inside_ml + 100:
        return thin
    return outside


def _enclosed_ml(mask: Mask, coarse: _Coarse) -> float:
    """Volume of the parts that are large enough for a lung."""
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())[1:] * coarse.voxel_ml
    return float(sizes[sizes >= SMALLEST_LUNG_ML].sum())


def _body(coarse: _Coarse) -> Mask:
    """Largest dense object, without the table, filled slice by slice along rows and columns."""
    dense = ndimage.binary_opening(coarse.hu > AIR_HU, iterations=1)
    labels, count = ndimage.label(dense)
    if not count:
        return dense
    body = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
    spans = np.zeros(body.shape, np.int8)
    for axis in (1, 2):
        before = np.maximum.accumulate(body, axis=axis)
        after = np.flip(np.maximum.accumulate(np.flip(body, axis), axis=axis), axis)
        spans += before & after
    return np.asarray(spans >= 1, bool)


def _airways(air: Mask, coarse: _Coarse) -> Mask:
    """Windpipe and main bronchi, slice by slice from above, until they open into the lung."""
    pixel = coarse.spacing_mm[1] * coarse.spacing_mm[2]
    found = np.zeros(air.shape, bool)
    previous: Mask | None = None
    for z in range(air.shape[0] - 1, -1, -1):
        labels, count = ndimage.label(air[z] & (coarse.hu[z] < -750))
        if not count:
            continue
        areas = np.bincount(labels.ravel()) * pixel
        if previous is None:
            label = _windpipe(labels, areas, air.shape, coarse)
            previous = labels == label if label else None
        else:
            touched = np.unique(labels[previous])
            kept = [int(v) for v in touched if v and areas[v] < 900]
            previous = np.isin(labels, kept) if kept else None
            if previous is None and found.any():
                break
        if previous is not None:
            found[z] = previous
    grown = ndimage.binary_dilation(found, iterations=1)
    return np.asarray(grown & air, bool)


def _windpipe(
    labels: NDArray[np.integer], areas: NDArray[np.floating], shape: tuple[int, ...], coarse: _Coarse
) -> int:
    """Label of a round piece of air of 60 to 700 mm2 near the middle, 0 where there is none."""
    for label, place in enumerate(ndimage.find_objects(labels), 1):
        if place is None or not 60 < areas[label] < 700:
            continue
        height = (place[0].stop - place[0].start) * coarse.spacing_mm[1]
        width = (place[1].stop - place[1].start) * coarse.spacing_mm[2]
        middle = (place[1].stop + place[1].start) / 2
        aside = abs(middle - shape[2] / 2) * coarse.spacing_mm[2]
        if areas[label] > 0.5 * height * width and max(height, width) < 45 and aside < 60:
            return label
    return 0


def _split(mask: Mask, middle: float, coarse: _Coarse) -> tuple[Mask, Mask]:
    """(right, left) lung: connected parts by side; parts that are joined in front are cut apart."""
    labels, count = ndimage.label(mask)
    right, left = np.zeros(mask.shape, bool), np.zeros(mask.shape, bool)
    if not count:
        return right, left
    sizes = np.bincount(labels.ravel())
    for label, place in enumerate(ndimage.find_objects(labels), 1):
        if sizes[label] * coarse.voxel_ml < SMALLEST_LUNG_ML or place is None:
            continue
        part = labels == label
        columns = np.flatnonzero(part.any(axis=(0, 1)))
        if _both_sides(part, middle):
            a, b = _cut(part, middle)
            right |= a
            left |= b
        elif columns.mean() < middle:
            right |= part
        else:
            left |= part
    return right, left


def _both_sides(part: Mask, middle: float) -> bool:
    share = float(part[:, :, : int(middle)].sum()) / max(float(part.sum()), 1)
    return 0.25 < share < 0.75


def _cut(part: Mask, middle: float) -> tuple[Mask, Mask]:
    """Split where the two lungs meet: eroded cores first, every voxel to the nearer core."""
    for rounds in range(1, 7):
        core = ndimage.binary_erosion(part, iterations=rounds)
        labels, count = ndimage.label(core)
        if count < 2:
            continue
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        first, second = np.argsort(sizes)[::-1][:2]
        if sizes[second] > 0.3 * sizes[first]:
            return _nearest(part, labels == first, labels == second)
    columns = np.arange(part.shape[2])[None, None, :]
    return part & (columns < middle), part & (columns >= middle)


def _nearest(part: Mask, one: Mask, two: Mask) -> tuple[Mask, Mask]:
    nearer = ndimage.distance_transform_edt(~one) <= ndimage.distance_transform_edt(~two)
    if np.argwhere(one)[:, 2].mean() > np.argwhere(two)[:, 2].mean():
        nearer = ~nearer
    return part & nearer, part & ~nearer


def closed(mask: Mask, spacing_mm: Triple, radius_mm: float = CLOSING_MM) -> Mask:
    """Closing with a ball in mm, then holes of each slice filled."""
    if not mask.any():
        return mask
    low, high = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0) + 1
    pad = [int(np.ceil(radius_mm / s)) + 1 for s in spacing_mm]
    box = np.pad(mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]], [(p, p) for p in pad])
    # Beyond the first and last slice the lung is taken to go on, or its ends would be eaten.
    wide = ndimage.distance_transform_edt(~box, sampling=spacing_mm) <= radius_mm
    wide[: pad[0]], wide[-pad[0] :] = wide[pad[0]], wide[-pad[0] - 1]
    shut = (ndimage.distance_transform_edt(wide, sampling=spacing_mm) > radius_mm) | box
    core = shut[pad[0] : -pad[0], pad[1] : -pad[1], pad[2] : -pad[2]]
    out = mask.copy()
    out[low[0] : high[0], low[1] : high[1], low[2] : high[2]] |= _filled(core, spacing_mm)
    return out


def _filled(core: Mask, spacing_mm: Triple) -> Mask:
    """Holes below 7 cm2 in each slice become lung."""
    flat = np.zeros((3, 3, 3), bool)
    flat[1] = ndimage.generate_binary_structure(2, 1)
    holes, count = ndimage.label(ndimage.binary_fill_holes(core, flat) & ~core, flat)
    if not count:
        return core
    small = np.bincount(holes.ravel()) * spacing_mm[1] * spacing_mm[2] < 700
    small[0] = False
    return np.asarray(core | small[holes], bool)


def _fine(mask: Mask, coarse: _Coarse, shape: tuple[int, int, int]) -> Mask:
    """The coarse mask with the voxels of the volume."""
    for axis, k in enumerate(coarse.step):
        if k > 1:
            index = np.minimum(np.arange(shape[axis]) // k, mask.shape[axis] - 1)
            mask = np.take(mask, index, axis=axis)
    return np.ascontiguousarray(mask[: shape[0], : shape[1], : shape[2]])


def _border_share(mask: Mask, coarse: _Coarse) -> float:
    """Share of the lung's slices where it meets the picture's edge or the padding about the circle."""
    slices = mask.any(axis=(1, 2))
    if not slices.any():
        return 0.0
    edge = np.zeros(mask.shape, bool)
    edge[:, [0, -1], :] = True
    edge[:, :, [0, -1]] = True
    padding = _joined_to_border(coarse.hu <= -1020)
    near = ndimage.binary_dilation(edge | padding, np.ones((1, 5, 5), bool))
    touched = (near & mask).sum(axis=(1, 2)) * coarse.spacing_mm[1] * coarse.spacing_mm[2] > 50
    return float(touched.sum() / slices.sum())


@lru_cache(maxsize=1)
def _plus() -> Mask:
    return np.asarray(ndimage.generate_binary_structure(3, 1), bool)


def find_lungs(hu: NDArray[np.int16], geometry: Geometry) -> LungMask:
    """Both lungs; an empty mask where there are none. The answer does not depend on the slice order."""
    placed: Standard = standard(hu, geometry)
    coarse = _coarse(placed.hu, placed.geometry.spacing_mm)
    body = _body(coarse)
    air = (coarse.hu < AIR_HU) & ~_outside(coarse) & body
    air = ndimage.binary_opening(air, _plus()) if min(air.shape) > 2 else air
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    middle = float(columns.mean()) if len(columns) else 0.0
    right, left = _split(air & ~_airways(air, coarse), middle, coarse)
    right, left = (closed(lung, coarse.spacing_mm) for lung in (right, left))
    left &= ~right
    both = right | left
    shape = placed.geometry.shape
    return LungMask(
        mask=placed.back(_fine(both, coarse, shape)),
        right=placed.back(_fine(right, coarse, shape)),
        right_ml=float(right.sum()) * coarse.voxel_ml,
        left_ml=float(left.sum()) * coarse.voxel_ml,
        touches_first_or_last_slice=bool(both[0].any() or both[-1].any()),
        touches_in_plane_border=_border_share(both, coarse),
    )
