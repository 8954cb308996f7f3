# bash: SIGTERM to a child whose clean-up takes 10 ms, `wait` for it; a watchdog ends the wait after 5 s.
coproc SERVICE {
    trap 'sleep 0.01; exit 0' TERM
    echo ready
    while read -t 0.02 -r _ || [ $? -gt 128 ]; do :; done  # a signal just before the read waits for its end
}
pid=$SERVICE_PID
read -r _ <&"${SERVICE[0]}"
trap 'echo "process $pid is still alive after 5 s" >&2; exit 1' USR1
# The watchdog's input is a pipe that the main shell holds: it is called off by the shell's end at the latest.
exec {calling_off}> >(read -r -t 5 _; [ $? -le 128 ] || kill -USR1 $$)
watchdog=$!
kill "$pid"
wait "$pid"
exec {calling_off}>&-
wait "$watchdog"
exit 0
