# bash: SIGTERM to a child, `wait` for it; a watchdog ends the wait after 5 s, unless it is called off.
trap 'echo "process $pid (sleep 30) is still alive after 5 s" >&2; exit 1' USR1
coproc WATCHDOG { read -r -t 5 _ || kill -USR1 $$; }
# The signal is sent once the child is `sleep`, so that it never meets a half-made process.
sleep 30 &
pid=$!
name=
until [ "$name" = sleep ]; do read -r name <"/proc/$pid/comm"; done
kill "$pid"
wait "$pid"
echo "called off" >&"${WATCHDOG[1]}"
wait
exit 0
