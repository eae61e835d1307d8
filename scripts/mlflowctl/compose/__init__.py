"""The Compose project of a folder: what it is called, its ports, and its secrets."""
