"""mlflowctl: MLflow's tracking server and registry on PostgreSQL and S3, and safe promotions through it."""

__version__ = "0.1.0"
