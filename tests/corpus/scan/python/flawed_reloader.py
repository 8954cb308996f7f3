# flawed: resource-still-held
# why: restart() starts the command again while the old process may still run
class Reloader:
    def __init__(self, command):
        self.command = command
        self.process = None
    def start(self):
        self.process = subprocess.Popen(self.command)
    def restart(self):
        self.process.terminate()
        self.process = subprocess.Popen(self.command)
