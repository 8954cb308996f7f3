# flawed: check-before-exit
# why: the status of kill -0 is asserted straight after kill
@test "stop ends the daemon" {
    mydaemon --foreground &
    daemon_pid=$!
    wait_for_socket
    kill "$daemon_pid"
    run kill -0 "$daemon_pid"
    [ "$status" -ne 0 ]
}
