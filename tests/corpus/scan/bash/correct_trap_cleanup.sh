#!/bin/bash
# correct
# why: nothing is looked at; the trap kills and waits at the end
cleanup() {
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
}
trap cleanup EXIT
./server &
server=$!
until curl -s localhost:8080; do sleep 0.2; done
curl -s localhost:8080/version | grep -q 1.2
