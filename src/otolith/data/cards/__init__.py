"""One module for each public dataset, each with its `CARD`: data, not code."""
