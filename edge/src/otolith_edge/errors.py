"""Errors, each one sentence: what, where, how to mend. The command exits with code 2."""

from __future__ import annotations


class EdgeError(Exception):
    """Bad input: a file, a stream or an option that cannot be used as it is."""


class ModelError(EdgeError):
    """A model file or a vocabulary that is missing, damaged, foreign or of another version."""


class MissingExtraError(EdgeError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs '{package}': install it with  pip install 'otolith-edge[{extra}]'")
