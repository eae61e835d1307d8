# One page: is it up, is it quick, has it room.

locals {
  tg  = ["TargetGroup", var.server.target_group_arn_suffix, "LoadBalancer", var.server.load_balancer_arn_suffix]
  ecs = ["ClusterName", var.server.cluster_name, "ServiceName", var.server.service_name]
  db  = ["DBInstanceIdentifier", local.rds.DBInstanceIdentifier]

  graphs = concat(
    [
      { title = "Requests and errors (per minute)", stat = "Sum", metrics = [
        concat(["AWS/ApplicationELB", "RequestCount"], local.tg),
        concat(["AWS/ApplicationELB", "HTTPCode_Target_4XX_Count"], local.tg),
        concat(["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"], local.tg),
        ["AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "LoadBalancer", var.server.load_balancer_arn_suffix],
      ] },
      { title = "Time to answer (s)", stat = "p50", metrics = [
        concat(["AWS/ApplicationELB", "TargetResponseTime"], local.tg, [{ stat = "p50" }]),
        concat(["AWS/ApplicationELB", "TargetResponseTime"], local.tg, [{ stat = "p95" }]),
        concat(["AWS/ApplicationELB", "TargetResponseTime"], local.tg, [{ stat = "p99" }]),
      ] },
      { title = "Tasks", stat = "Minimum", metrics = [
        concat(["ECS/ContainerInsights", "RunningTaskCount"], local.ecs),
        concat(["ECS/ContainerInsights", "DesiredTaskCount"], local.ecs),
        concat(["AWS/ApplicationELB", "HealthyHostCount"], local.tg),
      ] },
      { title = "CPU and memory of the tasks (%)", stat = "Average", metrics = [
        concat(["AWS/ECS", "CPUUtilization"], local.ecs),
        concat(["AWS/ECS", "MemoryUtilization"], local.ecs),
      ] },
      { title = "Deep probe and bootstrap: failures", stat = "Sum", metrics = [
        [local.metrics, "DeepProbeFailures"],
        [local.metrics, "BootstrapFailures"],
      ] },
    ],
    [for graph in local.database_graphs : graph if local.watch_database],
  )
  database_graphs = [
    { title = "PostgreSQL: CPU (%) and connections", stat = "Average", metrics = [
      concat(["AWS/RDS", "CPUUtilization"], local.db),
      concat(["AWS/RDS", "DatabaseConnections"], local.db, [{ stat = "Maximum", yAxis = "right" }]),
    ] },
    { title = "PostgreSQL: free storage and memory (bytes)", stat = "Minimum", metrics = [
      concat(["AWS/RDS", "FreeStorageSpace"], local.db),
      concat(["AWS/RDS", "FreeableMemory"], local.db),
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "dashboard" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type = "alarm", x = 0, y = 0, width = 24, height = 3
        properties = {
          title  = "Alarms of ${var.name}"
          alarms = concat([for one in values(aws_cloudwatch_metric_alarm.alarm) : one.arn], [aws_cloudwatch_metric_alarm.server_5xx.arn])
        }
      }],
      [for index, graph in local.graphs : {
        type = "metric", x = (index % 2) * 12, y = 3 + floor(index / 2) * 6, width = 12, height = 6
        properties = {
          title   = graph.title
          metrics = graph.metrics
          stat    = graph.stat
          period  = 60
          region  = local.region
          view    = "timeSeries"
        }
      }],
    )
  })
}
