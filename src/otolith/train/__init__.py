"""One engine for every stage; a stage is a Task."""
