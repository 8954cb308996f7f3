// flawed: fixed-sleep
// why: a sleep stands for wait()
use std::process::Command;
use std::{thread, time::Duration};

#[test]
fn term_ends_server() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_server")).spawn().unwrap();
    wait_for_port(8080);
    unsafe {
        libc::kill(server.id() as libc::pid_t, libc::SIGTERM);
    }
    thread::sleep(Duration::from_millis(300));
    match server.try_wait() {
        Ok(Some(status)) => assert!(status.success()),
        Ok(None) => panic!("server still running"),
        Err(error) => panic!("{error}"),
    }
}
