"""A person's own recordings: one module for each kind of export."""

from __future__ import annotations

from otolith.data.importers.mapping import Column, TableMapping
from otolith.data.importers.table import read_columns, read_table

__all__ = ["Column", "TableMapping", "read_columns", "read_table"]
