# bash: SIGTERM to a child whose clean-up takes 10 ms, `sleep 0.05`, `kill -0` once.
# A trap runs in the middle of `read`, so the signal cannot be lost.
coproc SERVICE {
    trap 'sleep 0.01; exit 0' TERM
    echo ready
    read -r _
}
pid=$SERVICE_PID
read -r _ <&"${SERVICE[0]}"
kill "$pid"
sleep 0.05
if kill -0 "$pid" 2>/dev/null; then
    echo "process $pid is still alive" >&2
    exit 1
fi
