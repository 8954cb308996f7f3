// correct
// why: try_wait() is repeated until the deadline
use std::process::{Child, Command};
use std::time::{Duration, Instant};

fn wait_with_deadline(child: &mut Child, limit: Duration) -> bool {
    let start = Instant::now();
    loop {
        match child.try_wait().unwrap() {
            Some(_) => return true,
            None if start.elapsed() > limit => return false,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[test]
fn term_ends_server() {
    let mut server = Command::new("sleep").arg("100").spawn().unwrap();
    server.kill().unwrap();
    assert!(wait_with_deadline(&mut server, Duration::from_secs(20)));
}
