"""Why a model answers as it does, and how far each explanation can be trusted."""
