// flawed: check-before-exit
// why: killpg through nix and the member probed with kill(None) at once
use nix::sys::signal::{kill, killpg, Signal};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

#[test]
fn group_is_killed() {
    let mut shell = Command::new("sh")
        .args(["-c", "sleep 60 & echo $!; wait"])
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let member = Pid::from_raw(line.trim().parse().unwrap());
    killpg(Pid::from_raw(shell.id() as i32), Signal::SIGKILL).unwrap();
    shell.wait().unwrap();
    assert_eq!(kill(member, None), Err(nix::errno::Errno::ESRCH));
}
