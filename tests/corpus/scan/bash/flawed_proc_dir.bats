# flawed: check-before-exit
# why: /proc is looked at straight after the group was killed
setup() {
    load helpers
}

@test "killing the container kills its processes" {
    start_container box
    pid=$(cat "$ROOT/box/init.pid")
    kill -KILL "$pid"
    [ ! -d "/proc/$pid" ]
}
