// correct
// why: polls with a deadline, then kill and wait
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn server_answers() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_server")).arg("--port=47113").spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", 47113)).is_err() {
        assert!(server.try_wait().unwrap().is_none(), "server died");
        assert!(Instant::now() < deadline, "server did not start");
        thread::sleep(Duration::from_millis(20));
    }
    server.kill().unwrap();
    let status = server.wait().unwrap();
    assert!(!status.success());
}
