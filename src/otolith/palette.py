"""Colours that people with any colour vision can tell apart, for every figure and page."""

from __future__ import annotations

from collections.abc import Sequence

# Okabe & Ito 2008 (grey in place of black, which is lost on dark paper), then Tol's "muted" set for long lists; the two
# that are pale on white paper come last.
PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#999999", "#332288",
    "#882255", "#44AA99", "#AA4499", "#999933", "#117733", "#661100", "#DDCC77", "#F0E442",
)  # fmt: skip


def colours(names: Sequence[str], classes: Sequence[str] = ()) -> dict[str, str]:
    """A colour for each distinct name; they repeat after sixteen.

    Args:
        names: What is to be coloured, in order of first appearance.
        classes: Names whose colours come first, so that several charts of them agree. Of more than sixteen only those
            that are present count: two names of one colour side by side are worse than charts that disagree.
    """
    return {name: PALETTE[place % len(PALETTE)] for name, place in places(names, classes).items()}


def places(names: Sequence[str], classes: Sequence[str] = ()) -> dict[str, int]:
    """The place of each distinct name among all whose colours are to differ; arguments as of `colours`."""
    present, order = set(names), list(dict.fromkeys([*classes, *names]))
    if len(order) > len(PALETTE):
        order = [name for name in order if name in present]
    return {name: place for place, name in enumerate(order) if name in present}


def ink(colour: str) -> str:
    """Black or white, whichever reads better on `colour` (`#rrggbb`); luminance after WCAG 2.1."""
    channels = [value / 255 for value in rgb(colour)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#ffffff"


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue (0 to 255) of `#rrggbb`."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue
