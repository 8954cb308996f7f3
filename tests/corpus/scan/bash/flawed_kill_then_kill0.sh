#!/bin/bash
# flawed: check-before-exit
# why: kill -0 straight after kill finds the process still there
set -u
sleep 100 &
pid=$!
kill "$pid"
if kill -0 "$pid" 2>/dev/null; then
    echo "FAIL: $pid is still alive"
    exit 1
fi
echo ok
