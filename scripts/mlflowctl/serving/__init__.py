"""Serving a registered model: the champion, and beside it the challenger with its share of the requests."""
