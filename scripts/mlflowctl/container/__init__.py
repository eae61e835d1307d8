"""What runs inside the project's own image: its settings, its server, its probe (Compose and ECS)."""
