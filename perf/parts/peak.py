"""Arithmetic of a training step a second, over the most that this machine's matrix product reaches in that precision.

The floating point operations of a step are counted by torch's flop counter on the step itself: twice the
multiplications of convolutions and matrix products, forward and backward.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from perf.fits import PRECISIONS, SMALL_SIZE, StepSize, Work, made_train_data, new_detector, torch_threads
from perf.parts.step import our_step
from perf.ratios import MeasurePlan, Ratios, make_ratio, processor_seconds, seconds_in_turns

TITLE = "Against the matrix peak"
SAYS = (
    "Floating point operations a second of our training step, over those of the fastest of a few square matrix "
    "products in the same precision, on one thread."
)
SIDES, QUICK_SIDES = (512, 1024, 2048), (128, 256)
DETECTORS = ("dra", "devnet")
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PRODUCTS = 4


def measure_ratios(plan: MeasurePlan) -> Ratios:
    size = SMALL_SIZE if plan.is_quick else StepSize(params={"batch.size": 24, "batch.seen": 8})
    sides = QUICK_SIDES if plan.is_quick else SIDES
    for precision in PRECISIONS:
        for name in DETECTORS:
            with torch_threads(1), made_train_data(size) as data:
                step = our_step(new_detector(name, precision, size), data)
                operations = counted_operations(step)
                ways = {"step": step, **{str(side): product_work(side, precision) for side in sides}}
                seconds = seconds_in_turns(ways, plan, processor_seconds)
            peaks = [
                max(PRODUCTS * 2 * side**3 / taken for side, taken in zip(sides, turn, strict=True))
                for turn in zip(*(seconds[str(side)] for side in sides), strict=True)
            ]
            rates = [operations / taken for taken in seconds["step"]]
            rounds = [rate / peak for rate, peak in zip(rates, peaks, strict=True)]
            yield make_ratio(f"operations a second of {name} {precision}", "matrix peak", rounds)


def counted_operations(step: Work) -> int:
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def product_work(side: int, precision: str) -> Work:
    left, right = (torch.randn(side, side).to(TYPES[precision]) for _ in range(2))

    def multiply() -> None:
        for _ in range(PRODUCTS):
            torch.mm(left, right)

    return multiply
