output "arn" {
  description = "The secret; there once the password is in it."
  value       = aws_secretsmanager_secret.secret.arn

  depends_on = [aws_secretsmanager_secret_version.secret]
}
