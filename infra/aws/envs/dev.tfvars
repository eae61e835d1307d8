# To try it out: small, reached from inside the VPC only (VPN, bastion, a notebook in it), and easily destroyed.
environment = "dev"
region      = "eu-central-1"
size        = "small"
# account_id = "123456789012" # then credentials of any other account are refused

# Built with docker/Dockerfile.mlflow and pushed; `create_ecr_repository = true` makes a place for it.
image = "registry.example.com/mlflowctl:1.0.0"

# No domain and no certificate yet. Passwords pass readable inside the VPC: never for real data.
danger_plain_http = true

# Destroying takes the database at once; the last snapshot stays. The buckets must be empty before.
deletion_protection = false
