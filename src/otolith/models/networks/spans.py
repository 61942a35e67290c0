"""Masked reconstruction of samples: which stretches are hidden, and how well they are guessed (LIMU-BERT)."""

from __future__ import annotations

import torch
from torch import Tensor

SHARE = 0.15
"""Of the samples of a window that is to be predicted (Xu et al. 2021, LIMU-BERT; authors' `config/mask.json`)."""
LONGEST = 10
"""Samples of a stretch, at most."""
STOP = 0.2
"""Of the geometric distribution of a stretch's length."""
HIDDEN = 0.8
"""Share of windows in which those samples are set to zero; in the others they stay and are predicted all the same."""


def draw_spans(rows: int, samples: int) -> Tensor:
    """[B, W] bool: stretches of random length and place, which together are 15 % of each window and 1 sample at least.

    A stretch may not begin in another one; the last is cut where the share is reached.
    """
    goal = max(1, round(SHARE * samples))
    place = torch.arange(samples)
    likely = (1 - STOP) ** torch.arange(LONGEST)  # of lengths 1 to 10, up to a factor
    chosen = torch.zeros(rows, samples, dtype=torch.bool)
    while not bool((chosen.sum(1) == goal).all()):
        start = torch.randint(samples, (rows, 1))
        length = 1 + torch.multinomial(likely, rows, replacement=True)[:, None]
        span = (place >= start) & (place < start + length) & ~chosen.gather(1, start) & ~chosen
        chosen |= span & (span.cumsum(1) <= goal - chosen.sum(1, keepdim=True))
    return chosen


def hide(windows: Tensor) -> tuple[Tensor, Tensor]:
    """Windows [B, W, C] with stretches set to zero in all channels, and [B, W] which samples are to be predicted."""
    chosen = draw_spans(len(windows), windows.shape[1])
    zeroed = chosen & (torch.rand(len(windows), 1) < HIDDEN)
    chosen, zeroed = chosen.to(windows.device), zeroed.to(windows.device)
    return windows.masked_fill(zeroed[..., None], 0.0), chosen


def reconstruction_error(guess: Tensor, windows: Tensor, chosen: Tensor) -> Tensor:
    """Mean squared error of a guess [B, W, C] at the chosen samples [B, W]; the others have no part in it."""
    return (guess.float()[chosen] - windows.float()[chosen]).square().mean()
