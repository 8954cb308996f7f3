// flawed: deadline-too-short
// why: the helper is given one second
fn wait_for_exit(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}
#[test]
fn stops() {
    let mut child = Command::new("app").spawn().unwrap();
    wait_port(80);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert!(wait_for_exit(&mut child, Duration::from_secs(1)).is_some());
}
