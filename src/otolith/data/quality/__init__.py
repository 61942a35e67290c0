"""Checks of a whole dataset: units, signs, rates, gaps, copies and balance, judged by physics and by counting."""
