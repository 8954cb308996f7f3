// correct
// why: the look is repeated until a deadline
use nix::sys::signal::{kill, killpg, Signal};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

fn wait_gone(pid: Pid) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while kill(pid, None).is_ok() {
        assert!(Instant::now() < deadline, "{pid} is still alive");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn group_is_killed() {
    let (mut shell, member) = spawn_shell();
    killpg(Pid::from_raw(shell.id() as i32), Signal::SIGTERM).unwrap();
    shell.wait().unwrap();
    wait_gone(member);
}
