#!/bin/sh
# Behaves as the real image's entrypoint does in what this project uses; written anew for it.
# Arguments are passed on unquoted there, so that one with a space is split: the same here.
export GODEBUG="${GODEBUG:+$GODEBUG,}fips140=on"

if [ "$(id -u)" = 0 ]; then
  if [ "$(stat -c '%U:%G' /data)" != seaweed:seaweed ]; then
    chown -R seaweed:seaweed /data || echo "Warning: cannot change the owner of /data" >&2
  fi
  exec su-exec seaweed "$0" "$@"
fi

# Is the option $1 among the other arguments, as -option or --option, with or without a value?
given() {
  option="$1"
  shift
  for argument; do
    case "$argument" in "$option" | "$option="* | "-$option" | "-$option="*) return 0 ;; esac
  done
  return 1
}

command="$1"
[ $# -eq 0 ] || shift
case "$command" in
  server)
    defaults="-dir=/data -master.volumeSizeLimitMB=1024"
    given -volume.max "$@" || defaults="-dir=/data -volume.max=0 -master.volumeSizeLimitMB=1024"
    exec /usr/bin/weed -logtostderr=true server $defaults $@
    ;;
  mini)
    defaults="-dir=/data"
    ! given -dir "$@" || defaults=""
    exec /usr/bin/weed -logtostderr=true mini $defaults $@
    ;;
  filer) exec /usr/bin/weed -logtostderr=true filer $@ ;;
  *) exec /usr/bin/weed $command $@ ;;
esac
