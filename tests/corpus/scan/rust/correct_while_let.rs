// correct
// why: the loop asks until there is a status
#[test]
fn kill_is_seen_by_try_wait() {
    let mut child = Command::new("sleep").arg("100").spawn().unwrap();
    child.kill().unwrap();
    let mut status = None;
    while let None = status {
        status = child.try_wait().unwrap();
    }
    assert!(status.is_some());
}
