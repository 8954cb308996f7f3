// flawed: zombie-counted-alive
// why: the child is never waited for, so /proc keeps its entry
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn worker_disappears() {
    let mut worker = Command::new("sleep").arg("100").spawn().unwrap();
    let pid = worker.id();
    worker.kill().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while Path::new(&format!("/proc/{pid}")).exists() {
        if Instant::now() > deadline {
            panic!("worker is still there");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
