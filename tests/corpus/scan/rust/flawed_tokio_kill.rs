// flawed: check-before-exit
// why: start_kill and kill(pid, None) without wait
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::process::Command;

#[tokio::test]
async fn start_kill_ends_it() {
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = Pid::from_raw(child.id().unwrap() as i32);
    child.start_kill().unwrap();
    assert!(kill(pid, None).is_err());
}
