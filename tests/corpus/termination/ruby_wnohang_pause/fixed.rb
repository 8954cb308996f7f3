# Ruby: SIGTERM to a child, wait for it, for at most 5 s.
pid = Process.spawn('sleep', '30')
Process.kill(:TERM, pid)
waiter = Process.detach(pid)
abort "process #{pid} (sleep 30) has not ended after 5 s" unless waiter.join(5)
