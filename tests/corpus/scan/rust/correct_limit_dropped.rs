// correct
// why: what the short wait says is dropped: the runtime reaps the child some time
async fn close(child: &mut Child) {
    let _ = child.start_kill();
    let _ = tokio::time::timeout(Duration::from_millis(500), child.wait()).await;
}
