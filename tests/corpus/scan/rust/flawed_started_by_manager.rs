// flawed: fixed-sleep
// why: a tenth of a second stands for the wait until the command has run: nobody has to kill it
use std::thread;
use std::time::Duration;

#[test]
fn a_short_command_ends_by_itself() {
    let manager = ServerManager::new(config());
    let mut server_process = manager.start_server("echo hello").unwrap();
    thread::sleep(Duration::from_millis(100));
    assert!(!server_process.is_running());
}
