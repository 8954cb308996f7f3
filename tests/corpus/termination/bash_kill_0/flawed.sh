# bash: SIGTERM to a child whose clean-up takes 10 ms, `sleep 0.05`, `kill -0` once.
coproc SERVICE {
    trap 'sleep 0.01; exit 0' TERM
    echo ready
    while read -t 0.02 -r _ || [ $? -gt 128 ]; do :; done  # a signal just before the read waits for its end
}
pid=$SERVICE_PID
read -r _ <&"${SERVICE[0]}"
kill "$pid"
sleep 0.05
if kill -0 "$pid" 2>/dev/null; then
    echo "process $pid is still alive" >&2
    exit 1
fi
