"""How good it is, said honestly: metrics, controls, a results file with provenance, figures, a report."""
