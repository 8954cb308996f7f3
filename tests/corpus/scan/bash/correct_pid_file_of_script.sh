#!/bin/bash
# correct
# why: the script writes the pid file itself, before the pause
nohup ./server --port 8123 >server.log 2>&1 &
echo $! >"$PID_FILE"
sleep 1
pid=$(cat "$PID_FILE")
if ps -p "$pid" >/dev/null; then
  echo "started"
else
  echo "failed to start"
  exit 1
fi
