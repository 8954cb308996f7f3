// flawed: fixed-sleep
// why: the child is waited for, the grandchild only gets a pause
use std::thread;
use std::time::Duration;

#[test]
fn group_is_killed() {
    let (mut child, grandchild_pid) = start_tree();
    assert!(is_alive(grandchild_pid), "has to run first");
    let leader = child.id() as i32;
    crate::daemon::kill_process_group(leader);
    thread::sleep(Duration::from_millis(500));
    let _ = child.wait();
    assert!(!is_alive(grandchild_pid), "has to be dead");
}
