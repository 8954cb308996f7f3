# Ruby: SIGTERM to a child, sleep 0.03, Process.wait(pid, WNOHANG) once.
pid = Process.spawn('sleep', '30')
Process.kill(:TERM, pid)
sleep 0.03
unless Process.wait(pid, Process::WNOHANG)
  Process.wait(pid)
  abort "process #{pid} (sleep 30) has not ended"
end
