// flawed: signal-before-ready
// why: a pause stands for the handler that makes the exit code 130
#[test]
fn interrupt_is_handled() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_worker")).spawn().unwrap();
    thread::sleep(Duration::from_millis(300));
    let pid = Pid::from_raw(child.id() as i32);
    kill(pid, Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
}
