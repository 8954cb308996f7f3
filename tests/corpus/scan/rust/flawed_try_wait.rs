// flawed: check-before-exit
// why: try_wait() straight after kill() often finds the child still running
use std::process::Command;

#[test]
fn kill_ends_child() {
    let mut child = Command::new("sleep").arg("30").spawn().unwrap();
    child.kill().unwrap();
    assert!(child.try_wait().unwrap().is_some(), "child is still running");
}
