"""From a checkpoint to a verified file for the device: graph, formats, precisions, parity."""
