#!/usr/bin/env bash
# correct
# why: wait reaps the daemon
set -eu

./daemon --foreground > daemon.log 2>&1 &
pid=$!
until grep -q ready daemon.log; do sleep 0.1; done

kill -TERM "$pid"
wait "$pid" || true
if kill -0 "$pid" 2> /dev/null; then
    echo "FAIL: daemon $pid still runs" >&2
    exit 1
fi
