"""Time of one training step of stage 1 at `base`, against a re-creation of the public encoder of the same size.

A step: two passes (hidden patches, augmented view), both losses, backward, clipping, AdamW. Both sides get the same
batch.

    python benchmarks/bench_training_step.py [--rounds 9] [--threads 0] [--channels 6 18]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from measure import interleaved, provenance, publish, row, threads
from reference_encoder import ReferencePretraining
from torch import Tensor, nn

from otolith.models.encoder import SIZES
from otolith.models.model import Otolith
from otolith.train.pretrain import PretrainModule, PretrainObjective
from otolith.types import PATCH_SAMPLES, Batch

BATCH, PATCHES = 20, 10
PRECISIONS = {"fp32": False, "bf16-mixed": True}


def example(channels: int) -> Batch:
    """A full batch; half of the patches are hidden, in all channels. What the values are does not change the time."""
    generator = torch.Generator().manual_seed(0)
    patches = torch.randn(BATCH, PATCHES, PATCH_SAMPLES, channels, generator=generator)
    hidden = torch.rand(BATCH, PATCHES, generator=generator).argsort(1) < PATCHES // 2
    return Batch(
        patches=patches,
        patch_mask=torch.ones(BATCH, PATCHES, dtype=torch.bool),
        channel_mask=torch.ones(BATCH, channels, dtype=torch.bool),
        channel_text=torch.randn(1, channels, 384, generator=generator).expand(BATCH, -1, -1).contiguous(),
        patch_seconds=torch.ones(BATCH),
        augmented=patches + 0.05 * torch.randn(patches.shape, generator=generator),
        masked=hidden[:, :, None].expand(-1, -1, channels).contiguous(),
        dataset=torch.zeros(BATCH, dtype=torch.long),
    )


def stepper(module: nn.Module, loss: Callable[[], Tensor], bf16: bool) -> Callable[[], None]:
    """One training step of `module` as a call."""
    adam = torch.optim.AdamW(module.parameters(), lr=1e-4)
    module.train()

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        adam.step()
        adam.zero_grad()

    return step


def candidates(channels: int, bf16: bool) -> dict[str, Callable[[], None]]:
    """A step of ours and of the reference, on the same batch."""
    torch.manual_seed(0)
    batch, size = example(channels), SIZES["base"]
    ours = PretrainModule(Otolith(size), PretrainObjective(), ["example"])
    reference = ReferencePretraining(size)
    return {
        "otolith": stepper(ours, lambda: ours(batch)["loss"], bf16),
        "re-creation": stepper(reference, lambda: reference(batch), bf16),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=0, help="0: torch's default")
    parser.add_argument("--channels", type=int, nargs="+", default=[6, 18])
    arguments = parser.parse_args()
    rows = []
    with threads(arguments.threads):
        for channels in arguments.channels:
            for precision, bf16 in PRECISIONS.items():
                sizes = {"size": "base", "batch": BATCH, "patches": PATCHES}
                case = {**sizes, "channels": channels, "precision": precision}
                seconds = interleaved(candidates(channels, bf16), arguments.rounds)
                rows.append({**row(case, seconds, "otolith", "re-creation"), **provenance()})
    title = f"Stage 1 at base, {BATCH} windows of {PATCHES} patches: times as long as Otolith's"
    publish("training_step", title, ["channels", "precision"], rows)


if __name__ == "__main__":
    main()
