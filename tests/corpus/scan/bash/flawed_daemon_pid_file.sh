#!/bin/sh
# flawed: fixed-sleep
# why: the pid file of a daemon has to be there after a pause
PID_FILE="$PWD/server.pid"

./server --daemon --pid-file "$PID_FILE"
sleep 1

if [ ! -f "$PID_FILE" ]; then
    echo "the server did not start"
    exit 1
fi
./client --check
