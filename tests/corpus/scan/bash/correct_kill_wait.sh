#!/bin/bash
# correct
# why: wait returns when the job has ended
set -u
sleep 100 &
pid=$!
kill "$pid"
wait "$pid"
if kill -0 "$pid" 2>/dev/null; then
    echo "FAIL: $pid is still alive"
    exit 1
fi
echo ok
