"""`python -m inference.cnn.training.run TASK --data DIR --out DIR [--minutes M] [--seed S]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

RATES = {"candidates": 1.5e-3, "reduction": 1e-3, "outline": 1.5e-3, "malignancy": 8e-4}
BATCHES = {"candidates": 8, "reduction": 16, "outline": 8, "malignancy": 16}
HALF_PRECISION = {"candidates", "outline"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=sorted(RATES))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument(
        "--trunk", type=Path, help="candidate weights that the reduction takes its trunk from"
    )
    parser.add_argument("--hard", type=Path, help="places of false alarms on the training scans (JSON)")
    parser.add_argument("--rate", type=float, help="peak learning rate")
    return parser.parse_args()


def main() -> int:
    options = _arguments()
    import keras
    import tensorflow as tf

    from inference.cnn.training import tasks
    from inference.cnn.training.config import config_for
    from inference.cnn.training.loop import Schedule, train

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(options.seed)
    if options.task in HALF_PRECISION:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    options.out.mkdir(parents=True, exist_ok=True)
    batch = BATCHES[options.task]
    files = {n: str(p) for n, p in (("trunk", options.trunk), ("hard", options.hard)) if p}
    config = config_for(options.task, seed=options.seed, batch=batch, files=files)
    prepared = tasks.TASKS[options.task](options.data, config, None)
    if options.start:
        prepared.model.load_weights(options.start)
    schedule = Schedule(options.minutes, batch, options.rate or RATES[options.task], options.seed)
    out = options.out / f"{options.task}.weights.h5"
    figures = train(prepared.model, prepared.make, schedule, out, lambda line: print(line, flush=True))  # noqa: T201
    print(figures)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
