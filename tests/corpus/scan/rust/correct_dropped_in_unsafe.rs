// correct
// why: what setpgid answers for a child that has ended or runs its program is thrown away
use std::process::Command;
use std::time::Duration;

#[test]
fn interrupt_reaches_the_group_of_the_child() {
    let mut child = Command::new("sleep").arg("1").spawn().unwrap();
    let pid = child.id() as libc::pid_t;
    std::thread::sleep(Duration::from_millis(20));
    unsafe { libc::setpgid(pid, pid) };
    unsafe { libc::kill(-pid, libc::SIGINT) };
    assert!(!child.wait().unwrap().success());
}
