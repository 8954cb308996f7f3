// correct
// why: wait() reaps the child
use std::process::Command;

#[test]
fn kill_ends_child() {
    let mut child = Command::new("sleep").arg("30").spawn().unwrap();
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success());
    assert!(child.try_wait().unwrap().is_some());
}
