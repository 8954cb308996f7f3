#!/bin/bash
# flawed: check-before-exit
# why: a function kills, the caller asks pgrep at once
start() {
  ./agent --id test-agent &
  AGENT_PID=$!
  until curl -fs localhost:9000/ready; do sleep 0.2; done
}

stop() {
  kill "$AGENT_PID"
}

start
stop
if pgrep -f "agent --id test-agent" > /dev/null; then
  echo "agent survived"
  exit 1
fi
