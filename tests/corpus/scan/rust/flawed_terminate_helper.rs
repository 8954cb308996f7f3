// flawed: fixed-sleep
// why: SIGTERM through libc, 100 ms, then try_wait has to give a status
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

fn spawn_agent() -> Child {
    Command::new(env!("CARGO_BIN_EXE_agent")).arg("serve").spawn().expect("spawn agent")
}

#[test]
fn agent_exits_on_sigterm() {
    let mut agent = spawn_agent();
    unsafe {
        libc::kill(agent.id() as libc::pid_t, libc::SIGTERM);
    }
    thread::sleep(Duration::from_millis(100));
    match agent.try_wait() {
        Ok(Some(status)) => assert!(status.success()),
        Ok(None) => panic!("agent ignored SIGTERM"),
        Err(error) => panic!("{error}"),
    }
}
