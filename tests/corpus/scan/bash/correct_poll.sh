#!/bin/sh
# correct
# why: polls kill -0 a hundred times
./server &
pid=$!
./wait-for-port 8080
kill "$pid"
i=0
while kill -0 "$pid" 2>/dev/null; do
  i=$((i + 1))
  if [ "$i" -gt 200 ]; then
    echo "server did not stop" >&2
    exit 1
  fi
  sleep 0.1
done
