"""Tests of what runs in containers, on a real Docker engine."""
