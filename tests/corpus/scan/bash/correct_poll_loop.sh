#!/bin/bash
# correct
# why: the look is repeated for up to ten seconds
wait_gone() {
    local pid=$1
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    return 1
}

./server --daemon &
server=$!
until curl -sf http://localhost:8080/health; do sleep 0.1; done
kill -TERM $server
wait_gone $server || { echo "server did not stop" >&2; exit 1; }
