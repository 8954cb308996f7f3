#!/bin/bash
# flawed: fixed-sleep
# why: one second stands for wait
./server --daemon &
server=$!
until curl -sf http://localhost:8080/health; do sleep 0.1; done
kill -TERM $server
sleep 1
kill -0 $server 2>/dev/null && { echo "server did not stop" >&2; exit 1; }
echo passed
