// correct
// why: whoever is interrupted before it is ready ends by the same signal
#[test]
fn interrupt_ends_it() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_worker")).spawn().unwrap();
    thread::sleep(Duration::from_millis(300));
    let pid = Pid::from_raw(child.id() as i32);
    kill(pid, Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(2));
}
