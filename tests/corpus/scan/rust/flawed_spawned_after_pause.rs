// flawed: fixed-sleep
// why: 300 ms stand for the mill having set its handlers, and the child is handed on
pub fn spawned() -> Child {
    let child = Command::new(env!("CARGO_BIN_EXE_mill")).spawn().unwrap();
    thread::sleep(Duration::from_millis(300));
    child
}
