"""Losses. They see tensors only: no model, no data set, no configuration."""
