#!/bin/sh
# correct
# why: the script polls for the pid file
./daemon --pidfile /tmp/daemon.pid &
while [ ! -s /tmp/daemon.pid ]; do sleep 0.1; done
pid=$(cat /tmp/daemon.pid)
kill -HUP "$pid"
kill "$!"
wait
