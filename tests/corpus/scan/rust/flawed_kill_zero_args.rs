// flawed: fixed-sleep
// why: a tenth of a second stands for the wait until `kill -0` finds nobody
use std::process::Command;
use std::thread;
use std::time::Duration;

#[test]
fn ending_an_agent_ends_its_process() {
    let mut agents = Agents::new();
    let child = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = child.id();
    agents.add("one", pid);
    agents.kill_process("one", pid).unwrap();
    thread::sleep(Duration::from_millis(100));
    let asked = Command::new("kill").args(&["-0", &pid.to_string()]).status().unwrap();
    assert!(!asked.success());
}
