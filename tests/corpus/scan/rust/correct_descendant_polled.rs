// correct
// why: the worker's entry is looked for until it is gone
#[test]
fn launcher_takes_its_worker_along() {
    let mut launcher = Command::new("launcher").arg("run").spawn().unwrap();
    let worker_pid = wait_for_worker(launcher.id());
    kill(Pid::from_raw(launcher.id() as i32), Signal::SIGKILL).unwrap();
    launcher.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while Path::new(&format!("/proc/{}", worker_pid)).exists() {
        assert!(Instant::now() < deadline, "the worker outlived its launcher");
        std::thread::sleep(Duration::from_millis(20));
    }
}
