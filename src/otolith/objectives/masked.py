"""Masked reconstruction: predict what the encoder was not shown."""

from __future__ import annotations

from torch import Tensor

NOISE_FLOOR = 1e-4
"""Added to a patch's variance, in squared reference units: (10 mg)² of acceleration. It is the encoder's own floor, so
that at rest the model is not asked to predict sensor noise."""


def masked_reconstruction(prediction: Tensor, patches: Tensor, masked: Tensor) -> Tensor:
    """Mean squared error to the z-scored hidden patches (He 2022, MAE, arXiv:2111.06377, section 3 and table 1d).

    The target is normalised over the 64 samples of each patch of each channel. Only hidden patches count; values
    elsewhere, padding and NaN included, have no part in the loss or in its gradient.

    Args:
        prediction: [B, P, 64, C], in units of the patch's own standard deviation.
        patches: [B, P, 64, C], the signal as it was.
        masked: [B, P, C] bool, True where the encoder did not look. Padding must be False.

    Returns:
        Scalar; 0 when nothing is hidden, 1 for a prediction of zero.
    """
    guess = prediction.float().transpose(2, 3)[masked]  # [n, 64]: selected before any arithmetic, see above
    truth = patches.float().transpose(2, 3)[masked]
    truth = truth - truth.mean(-1, keepdim=True)
    truth = truth / (truth.square().mean(-1, keepdim=True) + NOISE_FLOOR).sqrt()
    error = (guess - truth).square()
    return error.sum() / max(error.numel(), 1)
