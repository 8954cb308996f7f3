#!/usr/bin/env bash
# correct
# why: the pid file is the server's, which runs for long; the client beside it writes none
nc -d 127.0.0.1 "$PORT" >/dev/null &
server=$(cat "$PIDFILE")
rm -f "$PIDFILE"
kill -HUP "$server"
for _ in $(seq 1 10); do
    [ -f "$PIDFILE" ] && break
    sleep 1
done
