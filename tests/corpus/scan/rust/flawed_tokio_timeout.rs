// flawed: deadline-too-short
// why: 50 ms are less than a loaded machine needs
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
async fn stops_quickly() {
    let mut child = Command::new("sleep").arg("100").spawn().unwrap();
    child.start_kill().unwrap();
    timeout(Duration::from_millis(50), child.wait()).await.expect("child did not stop").unwrap();
}
