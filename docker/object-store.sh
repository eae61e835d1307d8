#!/bin/sh
# SeaweedFS in one container, listening beyond loopback for S3 only. Mounted into the upstream image.
#   start    the store, and beside it the two parts that carry out the buckets' lifecycle rules
#   health   a signed request: it passes through S3, its identities and the filer
set -eu
port=9000

start() {
  # Below /data, where the volume is. The server is what the container lives and dies with.
  mkdir -p /data/admin /data/worker
  again lifecycle_admin &
  again lifecycle_worker &
  # Go would keep up to 900 MB before it collects. One volume per bucket at first, not seven.
  export GOMEMLIMIT=300MiB WEED_MASTER_VOLUME_GROWTH_COPY_1=1
  exec weed -logtostderr=true server \
    -dir=/data \
    -ip=127.0.0.1 \
    -ip.bind=127.0.0.1 \
    -disableHttp=true \
    -filer=true \
    -volume.max=0 \
    -volume.port=9340 \
    -master.telemetry=false \
    -master.electionTimeout=1s \
    -master.volumeSizeLimitMB=128 \
    -s3=true \
    -s3.ip.bind=0.0.0.0 \
    -s3.port="$port" \
    -s3.port.iceberg=0 \
    -s3.port.lance=0 \
    -s3.config=/run/secrets/s3-identities.json \
    -s3.iam="${ACCOUNTS:-false}" \
    -s3.iam.readOnly=false \
    -s3.autoCreateBucket=false \
    -s3.allowDeleteBucketNotEmpty=false
}

# Without lifecycle nothing expires, but the store serves: these two only start again.
again() {
  while :; do
    "$@" || true
    sleep 5
  done
}

lifecycle_admin() {
  GOMEMLIMIT=64MiB weed -logtostderr=true admin -ip=127.0.0.1 -port=23646 -port.grpc=33646 \
    -master=127.0.0.1:9333 -dataDir=/data/admin -iceberg.port=0 -lance.port=0
}

lifecycle_worker() {
  GOMEMLIMIT=64MiB weed -logtostderr=true worker -admin=127.0.0.1:23646 -workingDir=/data/worker
}

# The keys go to curl by its standard input, not by its command line.
health() {
  sed -n -e 's/^aws_access_key_id *= *//p' -e 's/^aws_secret_access_key *= *//p' /run/secrets/s3-credentials.ini |
    { read -r id; read -r key; printf 'user = "%s:%s"\n' "$id" "$key"; } |
    curl --config - --silent --show-error --fail --max-time 5 --output /dev/null \
      --aws-sigv4 aws:amz:us-east-1:s3 "http://127.0.0.1:$port/"
}

"$1"
