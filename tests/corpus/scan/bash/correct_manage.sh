#!/bin/sh
# correct
# why: a service script that escalates
stop() {
    pid=$(cat /var/run/app.pid)
    kill "$pid"
    sleep 2
    if kill -0 "$pid" 2>/dev/null; then
        echo "still running, sending KILL"
        kill -9 "$pid"
    fi
    rm -f /var/run/app.pid
}
case "$1" in
    stop) stop ;;
esac
