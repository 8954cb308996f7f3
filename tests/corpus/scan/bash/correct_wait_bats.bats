# correct
# why: wait collects the daemon before the look
@test "stop ends the daemon" {
    mydaemon --foreground &
    daemon_pid=$!
    wait_for_socket
    kill "$daemon_pid"
    wait "$daemon_pid" || true
    run kill -0 "$daemon_pid"
    [ "$status" -ne 0 ]
}
