#!/bin/bash
# correct
# why: the pause only spares the first rounds; what waits is the loop after it
./gateway --port 7400 --quiet > gateway.log 2>&1 &
gateway=$!

sleep 0.2
for _ in $(seq 100); do
  curl -fs http://localhost:7400/status > /dev/null && break
  sleep 0.2
done
curl -fs http://localhost:7400/status | grep -q up || exit 1
kill "$gateway"
wait "$gateway"
