#!/usr/bin/env bash
# correct
# why: how often it polls is given to the function: fifty times, a tenth of a second apart
set -u

gone_within() {
  local pid="$1" tenths="$2" i
  kill -TERM "$pid"
  for i in $(seq 1 "$tenths"); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  return 1
}

./server &
gone_within $! 50 || exit 1
