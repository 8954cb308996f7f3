#!/usr/bin/env bash
# correct
# why: the server is asked again and again until it answers
set -u

serve() {
  python3 -m http.server "$1" --bind 127.0.0.1 >/dev/null 2>&1 &
  server=$!
  for _ in $(seq 1 300); do
    curl -sf "http://127.0.0.1:$1/" >/dev/null && break
    sleep 0.1
  done
}

serve 8931
curl -sf http://127.0.0.1:8931/index.html || exit 1
kill "$server"
wait "$server"
