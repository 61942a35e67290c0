"""Ten thousand damaged and hostile inputs over everything that reads what a stranger gives; see `fuzz.__main__`."""
