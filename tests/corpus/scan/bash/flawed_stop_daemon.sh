#!/usr/bin/env bash
# flawed: fixed-sleep
# why: kill, sleep 1, kill -0 has to fail
set -eu

./daemon --foreground > daemon.log 2>&1 &
pid=$!
until grep -q ready daemon.log; do sleep 0.1; done

kill -TERM "$pid"
sleep 1
if kill -0 "$pid" 2> /dev/null; then
    echo "FAIL: daemon $pid still runs" >&2
    exit 1
fi
echo PASS
