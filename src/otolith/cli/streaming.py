"""`otolith stream`: hands over to the runtime for devices, which is a package of its own."""

from __future__ import annotations

from importlib import import_module

import typer

from otolith.types import OtolithError

SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""All that follows the command is the runtime's to read, its `--help` included."""


def stream(context: typer.Context) -> None:
    """Recognises activities while samples arrive, by an exported model (options: otolith stream --help).

    Raises:
        OtolithError: The runtime is not installed.
    """
    try:
        runtime = import_module("otolith_edge.cli")
    except ImportError as error:
        raise OtolithError(
            "streaming needs the package 'otolith-edge': install it with  pip install otolith-edge  (in a clone of "
            "Otolith: pip install ./edge)"
        ) from error
    runtime.main(["stream", *context.args])
