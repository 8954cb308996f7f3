# correct
# why: the shell becomes the server
def run(argv):
    proc = subprocess.Popen(["sh", "-c", "exec server --port 80"])
    wait_port(80)
    proc.terminate()
    proc.wait()
