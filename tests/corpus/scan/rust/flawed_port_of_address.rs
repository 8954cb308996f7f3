// flawed: resource-still-held
// why: the port that the child was given is bound right after the kill
#[test]
fn restart_reuses_port() {
    let mut first = Command::new(bin()).args(["--port", "9000"]).spawn().unwrap();
    wait_port(9000);
    first.kill().unwrap();
    let listener = TcpListener::bind("127.0.0.1:9000").unwrap();
    drop(listener);
}
