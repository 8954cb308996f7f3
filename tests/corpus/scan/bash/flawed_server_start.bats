#!/usr/bin/env bats
# flawed: fixed-sleep
# why: two seconds stand for the start of the server

setup() {
  ./server --port 18080 &
  SERVER_PID=$!
  sleep 2
}

teardown() {
  kill "$SERVER_PID"
  wait "$SERVER_PID" || true
}

@test "health answers" {
  run curl -fsS http://127.0.0.1:18080/health
  [ "$status" -eq 0 ]
}
