#!/bin/bash
# correct
# why: the look demands that the server lives after SIGHUP
./server &
server=$!
until curl -s localhost:8080; do sleep 0.2; done
kill -CONT $server
kill -0 $server || { echo "FAIL: server died"; exit 1; }
kill $server
wait $server
