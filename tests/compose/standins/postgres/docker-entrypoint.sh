#!/usr/bin/env bash
# Behaves as the entrypoint of the official image does in what this project uses; written anew for it.
set -Eeuo pipefail

# A setting may come as NAME or, for secrets, as the file that NAME_FILE names; never as both.
setting() {
  local name="$1" file="$1_FILE" value="${2:-}"
  if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
    echo >&2 "error: both $name and $file are set (but are exclusive)"
    exit 1
  fi
  if [ -n "${!name:-}" ]; then value="${!name}"; elif [ -n "${!file:-}" ]; then value="$(<"${!file}")"; fi
  export "$name=$value"
  unset "$file"
}

sql() {
  psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" "$@"
}

# Read as root where the container starts as root: a secret need not be readable for postgres then.
settings() {
  setting POSTGRES_PASSWORD
  setting POSTGRES_USER postgres
  setting POSTGRES_DB "$POSTGRES_USER"
  setting POSTGRES_INITDB_ARGS
}

folders() {
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 00700 "$PGDATA" || true
  chmod 03775 /var/run/postgresql || true
  if [ "$(id -u)" = 0 ]; then
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
  fi
}

refuse_without_password() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
    echo >&2 "Error: Database is uninitialized and superuser password is not specified."
    exit 1
  fi
}

refuse_older_data() {
  local folder
  for folder in /var/lib/postgresql /var/lib/postgresql/data /var/lib/postgresql/*/docker; do
    if [ -s "$folder/PG_VERSION" ] || { [ "$folder" = /var/lib/postgresql/data ] && mountpoint -q "$folder"; }; then
      echo >&2 "Error: in 18+, one mount at /var/lib/postgresql is expected; there is something at $folder"
      exit 1
    fi
  done
}

run_init_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      *.sh) if [ -x "$file" ]; then echo "$0: running $file"; "$file"; else echo "$0: sourcing $file"; . "$file"; fi ;;
      *.sql) echo "$0: running $file"; sql --dbname "$POSTGRES_DB" -f "$file" ;;
      *) echo "$0: ignoring $file" ;;
    esac
  done
}

# The first start: a cluster, then a server on the socket only, so that nobody connects half-way.
create_cluster() {
  ls /docker-entrypoint-initdb.d/ > /dev/null
  eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\")" \
    "--set unix_socket_directories=/var/run/postgresql $POSTGRES_INITDB_ARGS"
  shift # "postgres"; the rest are the server's own options
  printf '\nhost all all all %s\n' \
    "${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "$@")}" >> "$PGDATA/pg_hba.conf"
  export PGPASSWORD="$POSTGRES_PASSWORD"
  pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@" -c "listen_addresses=")" -w start
  if [ -z "$(sql --dbname postgres --tuples-only --set db="$POSTGRES_DB" \
    <<< "SELECT 1 FROM pg_database WHERE datname = :'db'")" ]; then
    sql --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db"'
  fi
  run_init_files
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD
  printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

case "${1:-}" in -*) set -- postgres "$@" ;; esac
if [ "${1:-}" = postgres ]; then
  settings
  folders
  if [ "$(id -u)" = 0 ]; then exec gosu postgres "$0" "$@"; fi
  if [ -s "$PGDATA/PG_VERSION" ]; then
    printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
  else
    refuse_without_password
    refuse_older_data
    create_cluster "$@"
  fi
fi
exec "$@"
