"""Statistics of live traffic that stay valid however often they are looked at (docs/live-statistics.md).

Pure functions on small sums: nothing here reads, writes or knows a clock. It imports numpy, so import it
inside the functions of a command.
"""
