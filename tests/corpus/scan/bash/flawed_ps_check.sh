#!/bin/bash
# flawed: check-before-exit
# why: kill -9 and ps -p in the next line
set -u
sleep 300 &
victim=$!
kill -9 $victim
if ps -p $victim > /dev/null; then
  echo "not ok: $victim is still running"
  exit 1
fi
echo ok
