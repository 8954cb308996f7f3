#!/bin/sh
# flawed: signal-before-ready
# why: the pid file is read before the daemon can have written it
./daemon --pidfile /tmp/daemon.pid &
pid=$(cat /tmp/daemon.pid)
kill -HUP "$pid"
kill "$!"
wait
