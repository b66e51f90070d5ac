"""MONAI's lung nodule detector over the same chest; run by the Python of an environment that has MONAI.

    PYTHON bench/peers/monai_detector.py VOLUME.npy [--slices N]        prints {"seconds": ..., ...}

Network, patch and settings of the bundle `lung_nodule_ct_detection` (MONAI model zoo 0.6.9, inference.json),
with random weights: how long the network takes does not depend on them. Float32, as torch computes on a
processor. The clock runs from the voxels in memory to the boxes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.apps.detection.networks.retinanet_network import RetinaNet, resnet_fpn_feature_extractor
from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape
from monai.data import MetaTensor
from monai.networks.nets.resnet import resnet50
from monai.transforms import ScaleIntensityRange, Spacing

VOLUME_MM = (0.7, 0.7, 1.0)
SPACING_MM = (0.703125, 0.703125, 1.25)
PATCH = (512, 512, 192)
ANCHORS = ((6, 8, 4), (8, 6, 5), (10, 10, 6))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("volume", type=Path)
    parser.add_argument("--slices", type=int, help="only so many of them, to try it out")
    options = parser.parse_args()
    torch.manual_seed(1)
    voxels, network = np.load(options.volume)[: options.slices], detector()
    began = time.perf_counter()
    with torch.inference_mode():
        image = prepared(voxels)
        prepared_s = time.perf_counter() - began
        (found,) = network([image], use_inferer=True)
    seconds = time.perf_counter() - began
    figures = {"seconds": round(seconds, 1), "prepared_s": round(prepared_s, 1), "shape": list(image.shape)}
    print(
        json.dumps(
            {**figures, "boxes": len(found[network.target_box_key]), "threads": torch.get_num_threads()}
        )
    )


def detector() -> Any:
    backbone = resnet50(spatial_dims=3, n_input_channels=1, conv1_t_stride=[2, 2, 1], conv1_t_size=[7, 7, 7])
    pyramid = resnet_fpn_feature_extractor(backbone, 3, False, [1, 2], None)
    network = RetinaNet(3, 1, 3, pyramid, size_divisible=(16, 16, 8))
    made = RetinaNetDetector(network, AnchorGeneratorWithAnchorShape((1, 2, 4), ANCHORS))
    made.set_target_keys(box_key="box", label_key="label")
    made.set_box_selector_parameters(
        score_thresh=0.02, topk_candidates_per_level=1000, nms_thresh=0.22, detections_per_img=300
    )
    made.set_sliding_window_inferer(PATCH, overlap=0.25, sw_batch_size=1, mode="constant", device="cpu")
    return made.eval()


def prepared(hu: Any) -> Any:
    """The chest (z, y, x) as the bundle wants it: (1, x, y, z) in its spacing, HU -1024 to 300 as 0 to 1."""
    affine = torch.diag(torch.tensor([*VOLUME_MM, 1.0], dtype=torch.float64))
    image = torch.from_numpy(np.ascontiguousarray(hu.transpose(2, 1, 0))[None].astype(np.float32))
    spaced = Spacing(SPACING_MM)(MetaTensor(image, affine=affine))
    return torch.as_tensor(ScaleIntensityRange(-1024.0, 300.0, 0.0, 1.0, clip=True)(spaced))


if __name__ == "__main__":
    main()
