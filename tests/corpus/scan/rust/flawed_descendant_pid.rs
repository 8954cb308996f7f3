// flawed: fixed-sleep
// why: the worker is another process than the one that is waited for, and gets a pause of a guessed length
#[test]
fn launcher_takes_its_worker_along() {
    let mut launcher = Command::new("launcher").arg("run").spawn().unwrap();
    let worker_pid = wait_for_worker(launcher.id());
    kill(Pid::from_raw(launcher.id() as i32), Signal::SIGKILL).unwrap();
    launcher.wait().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let runs = Path::new(&format!("/proc/{}", worker_pid)).exists();
    assert!(!runs, "the worker outlived its launcher");
}
