"""One file per kind of context: how its connection settings are found."""
