"""AWS: Terraform through python-terraform, environments and what they publish, day-two work."""
