# flawed: deadline-too-short
# why: five rounds of a tenth of a second
@test "daemon stops" {
  start_daemon
  pid=$(cat "$PIDFILE")
  kill "$pid"
  for i in 1 2 3 4 5; do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  ! kill -0 "$pid" 2>/dev/null
}
