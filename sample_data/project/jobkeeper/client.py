"""Start an agent, talk to it and stop it."""

import re
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class AgentError(RuntimeError):
    """The agent did not do what it was asked to."""


class AgentProcess:
    """An agent started as a child; `port` is known once it is ready."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        argv = [sys.executable, "-S", "-m", "jobkeeper.agent", str(folder), str(port)]
        self.process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.port = port
        self.pid_file = folder / "agent.pid"
        self.output = ""

    def wait_ready(self) -> "AgentProcess":
        """Read the agent's output up to the line that says `ready`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if match := re.search(r"ready on port (\d+)", line):
                self.port = int(match[1])
                return self
        raise AgentError(f"agent {self.process.pid} ended before it was ready:\n{self.output}")

    def ask(self, words: str) -> str:
        """Send one request and return the answer, which is one line."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(words.encode())
            with connection.makefile(encoding="utf-8") as answer:
                return answer.readline().strip()

    def stop(self, timeout_s: float) -> int:
        """Send SIGTERM, wait for the agent's exit at most `timeout_s`, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            message = f"agent {self.process.pid} did not exit within {timeout_s} s of SIGTERM"
            raise AgentError(message) from error

    def rest(self) -> str:
        """Return all output, reading what is left; the agent has ended or is about to."""
        assert self.process.stdout is not None
        self.output += self.process.stdout.read()
        return self.output

    def close(self) -> None:
        """Leave nothing behind: kill, wait, close."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
