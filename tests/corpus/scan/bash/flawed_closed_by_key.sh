#!/usr/bin/env bash
# flawed: fixed-sleep
# why: a key is to close the program; 2 s later it must be gone
./editor >"$OUT/editor.out" 2>&1 &
PID=$!
wait_log "window is open"
press ctrl+q
sleep 2
status=0
if kill -0 $PID 2>/dev/null; then
    echo "FAIL: the key did not close it"
    kill $PID
    status=1
fi
exit $status
