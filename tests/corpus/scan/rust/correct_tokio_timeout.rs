// correct
// why: half a minute is many times what a death takes
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
async fn stops() {
    let mut child = Command::new("sleep").arg("100").spawn().unwrap();
    child.start_kill().unwrap();
    timeout(Duration::from_secs(30), child.wait()).await.expect("child did not stop").unwrap();
    assert!(child.try_wait().unwrap().is_some());
}
