"""Who may do what: MLflow's login in PostgreSQL, three roles on top, and the gate that tells them apart."""
