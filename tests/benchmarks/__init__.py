"""Benchmarks of the server and the command line: side by side, in one run (see docs/benchmarks.md)."""
