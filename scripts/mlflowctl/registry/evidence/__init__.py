"""What a validation or a decision leaves behind: evidence.json, and a report that a person can read."""
