// flawed: resource-still-held
// why: the address is bound before the killed server has closed it
use std::net::TcpListener;
use std::process::Command;

#[test]
fn address_is_freed() {
    let addr = "127.0.0.1:18443";
    let mut server = Command::new("./server").args(["--bind", addr]).spawn().unwrap();
    wait_for_listen(addr);
    server.kill().unwrap();
    let listener = TcpListener::bind(addr).expect("address is in use");
    drop(listener);
}
