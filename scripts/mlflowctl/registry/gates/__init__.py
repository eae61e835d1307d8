"""The gates: is the challenger better than the champion, with what certainty (docs/gates.md)."""
