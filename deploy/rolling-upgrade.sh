#!/bin/sh
# Replaces the nodes of a cluster, one after the other: the next one only when the cluster is whole with the one before.
#
#   deploy/rolling-upgrade.sh 'ssh "$HOST" systemctl start tandis' 10.0.0.1:7001 10.0.0.2:7001 10.0.0.3:7001
#
# The first word is a command that starts the node at $HOST and $PORT anew, with the new release or the new options; it runs
# when that node has left. All nodes of the cluster are named. It stops at the first thing that is not as it should be, and
# touches nothing more: the others serve.
#
#   REDISCLI_AUTH    password, where there is one
#   TANDIS           the program, "tandis" unless set
#   TANDIS_OPTIONS   for each of its calls: --tls --cacert ca.crt
#   WAIT             seconds for the cluster to become whole, 600 unless set
set -eu

if [ $# -lt 3 ]; then
  echo "usage: $0 'command that starts the node at \$HOST and \$PORT' HOST:PORT HOST:PORT ..." >&2
  exit 2
fi
start=$1
shift
nodes=$#

# $1: what is asked, at $HOST and $PORT.
ask() {
  # More than one word each.
  # shellcheck disable=SC2086
  ${TANDIS:-tandis} "$@" -h "$HOST" -p "$PORT" ${TANDIS_OPTIONS:-}
}

# Whether this node sees all of them, each at rest, and two copies of every key.
is_whole() {
  members=$(ask status --json 2>/dev/null) || return 1
  [ "$(echo "$members" | grep -c '"id":')" -eq "$nodes" ] &&
    [ "$(echo "$members" | grep -c '"state": "settled"')" -eq "$nodes" ] &&
    [ "$(echo "$members" | grep -c '"keysWithoutBackup": 0,')" -eq "$nodes" ]
}

wait_until_whole() {
  left=${WAIT:-600}
  until is_whole; do
    if [ "$left" -le 0 ]; then
      echo "$HOST:$PORT: the cluster is not whole: nothing more is done" >&2
      ask status >&2 || true
      exit 1
    fi
    left=$((left - 1))
    sleep 1
  done
}

for node in "$@"; do
  export HOST="${node%:*}" PORT="${node##*:}"
  wait_until_whole
  echo "$node: is replaced"
  ask drain
  sh -c "$start"
  wait_until_whole
  echo "$node: is back, and every key has its two copies"
done
