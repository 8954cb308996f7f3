// flawed: deadline-too-short
// why: the deadline is asserted inside of the loop that looks
#[test]
fn grandchild_gone() {
    let mut child = Command::new("sh").args(["-c", "sleep 99 & echo $!; wait"]).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
    let pid = read_pid(child.stdout.take().unwrap());
    killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(1);
    while kill(Pid::from_raw(pid), None).is_ok() {
        assert!(Instant::now() < deadline, "alive");
        std::thread::sleep(Duration::from_millis(10));
    }
}
