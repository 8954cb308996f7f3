// flawed: check-before-exit
// why: kill() and try_wait() in the next line
use std::process::Command;

#[test]
fn kill_ends_the_child() {
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    child.kill().unwrap();
    assert!(child.try_wait().unwrap().is_some(), "child is still running");
}
