# Real models: two zones, HTTPS, nothing that a single mistake can delete.
environment = "prod"
region      = "eu-central-1"
size        = "medium"
# account_id = "123456789012" # then credentials of any other account are refused

# Built with docker/Dockerfile.mlflow and pushed, under a tag or digest that never moves.
image = "registry.example.com/mlflowctl:1.0.0"

# The certificate and the record are made in this zone of Route 53.
domain_name = "mlflow.example.com"
zone_id     = "Z0123456789ABCDEFGHIJ"

# Who is told when something is wrong; AWS sends a link to confirm first.
alarm_email = "mlflow-oncall@example.com"

# Copies of database and buckets in a vault, beside the restore of any second of the last weeks.
backup = true
