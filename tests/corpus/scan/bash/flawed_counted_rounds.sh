#!/bin/bash
# flawed: deadline-too-short
# why: the loop counts its rounds itself and fails after ten
./server &
pid=$!
wait_for_port 8080
kill -TERM $pid
n=0
while kill -0 $pid 2>/dev/null; do
  n=$((n+1))
  if [ $n -gt 10 ]; then
    echo "FAIL: server still runs"
    exit 1
  fi
  sleep 0.1
done
