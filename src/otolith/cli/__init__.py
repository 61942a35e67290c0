"""The command; thin, with heavy imports inside the commands."""
