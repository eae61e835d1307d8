"""The embedded stack: PostgreSQL, SeaweedFS and the MLflow server as plain processes, one supervisor."""
