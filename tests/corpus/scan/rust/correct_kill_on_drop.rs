// correct
// why: nothing is looked at; the child is killed and reaped in the end
use std::process::{Command, Stdio};

#[test]
fn prints_banner() {
    let mut child = Command::new("./server").stdout(Stdio::piped()).spawn().unwrap();
    let banner = first_line(child.stdout.take().unwrap());
    assert!(banner.starts_with("listening"));
    if let Ok(None) = child.try_wait() {
        child.kill().unwrap();
    }
    child.wait().unwrap();
}
