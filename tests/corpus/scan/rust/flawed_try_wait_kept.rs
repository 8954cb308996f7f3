// flawed: fixed-sleep
// why: the answer is kept, and a method of it is asserted after a pause
use std::process::Command;
use std::thread;
use std::time::Duration;

#[test]
fn ends_by_itself() {
    let mut child = Command::new("sleep").arg("1").spawn().unwrap();
    let status = child.try_wait().unwrap();
    assert!(status.is_none());
    thread::sleep(Duration::from_secs(2));
    let status = child.try_wait().unwrap();
    assert!(status.is_some());
}
