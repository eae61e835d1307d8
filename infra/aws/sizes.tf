# What the three sizes buy. Every figure can be set alone in the environment's file, by the variable of its name.

locals {
  sizes = {
    # Try it out, or a team of a few: a failed zone or an upgrade of the database is an outage of minutes.
    small = {
      zones                   = 2
      nat                     = "one"
      instance_class          = "db.t4g.medium" # 2 vCPU, 4 GiB
      multi_az                = false
      allocated_storage       = 20
      max_allocated_storage   = 100
      max_connections         = 200
      backup_retention_days   = 7
      cpu                     = 1024
      memory                  = 4096
      min_tasks               = 1
      max_tasks               = 2
      log_retention_days      = 30
      flow_log_retention_days = 30
    }

    # A department: survives the loss of a zone without anybody's help.
    medium = {
      zones                   = 2
      nat                     = "per-zone"
      instance_class          = "db.m7g.large" # 2 vCPU, 8 GiB
      multi_az                = true
      allocated_storage       = 50
      max_allocated_storage   = 500
      max_connections         = 500
      backup_retention_days   = 14
      cpu                     = 2048
      memory                  = 8192
      min_tasks               = 2
      max_tasks               = 6
      log_retention_days      = 365
      flow_log_retention_days = 365
    }

    # A company: three zones, and five weeks in which any second can be restored.
    large = {
      zones                   = 3
      nat                     = "per-zone"
      instance_class          = "db.r7g.xlarge" # 4 vCPU, 32 GiB
      multi_az                = true
      allocated_storage       = 200
      max_allocated_storage   = 2000
      max_connections         = 1000
      backup_retention_days   = 35
      cpu                     = 4096
      memory                  = 16384
      min_tasks               = 3
      max_tasks               = 12
      log_retention_days      = 365
      flow_log_retention_days = 365
    }
  }

  given = {
    nat                   = var.nat
    instance_class        = var.instance_class
    multi_az              = var.multi_az
    allocated_storage     = var.allocated_storage
    max_allocated_storage = var.max_allocated_storage
    max_connections       = var.max_connections
    backup_retention_days = var.backup_retention_days
    cpu                   = var.cpu
    memory                = var.memory
    min_tasks             = var.min_tasks
    max_tasks             = var.max_tasks
    log_retention_days    = var.log_retention_days
  }

  size = merge(local.sizes[var.size], { for name, value in local.given : name => value if value != null })
}
