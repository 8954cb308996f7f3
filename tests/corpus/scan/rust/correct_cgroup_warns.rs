// correct
// why: a child that has ended is accepted
fn run(cmd: &mut Command, group: &Path) -> io::Result<Child> {
    let child = cmd.spawn()?;
    if let Err(e) = fs::write(group.join("cgroup.procs"), child.id().to_string()) {
        warn!("no limit: {e}");
    }
    Ok(child)
}
