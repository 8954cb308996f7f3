# bash: SIGTERM to a child, `sleep 0.03`, `kill -0` once.
# The signal is sent once the child is `sleep`, so that it never meets a half-made process.
sleep 30 &
pid=$!
name=
until [ "$name" = sleep ]; do read -r name <"/proc/$pid/comm"; done
kill "$pid"
sleep 0.03
if kill -0 "$pid" 2>/dev/null; then
    echo "process $pid (sleep 30) is still alive" >&2
    exit 1
fi
