"""`python -m otolith_edge`."""

from otolith_edge.cli import main

main()
