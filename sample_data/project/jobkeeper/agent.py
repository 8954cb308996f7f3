"""The agent: a small process that keeps the journal and answers on a local port until it is told to stop.

Run it as `python -m jobkeeper.agent STATE_FOLDER PORT`; port 0 takes a free one.
"""

import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

from jobkeeper.journal import Journal


class Agent:
    """One agent with its journal, its pid file and its listening socket."""

    def __init__(self, folder: Path, port: int) -> None:
        self.pid_file = folder / "agent.pid"
        self.journal = Journal(folder)
        self.port = port
        self.listener: socket.socket | None = None

    def run(self) -> None:
        """Serve until `quit` comes in or SIGTERM arrives, then drain."""
        self.pid_file.write_text(f"{os.getpid()}\n")
        print(f"agent {os.getpid()} starting", flush=True)
        events = self.journal.replay()
        try:
            signal.signal(signal.SIGTERM, self._on_term)
            self.listener = socket.create_server(("127.0.0.1", self.port))
            print(f"agent ready on port {self.listener.getsockname()[1]}, {events} events", flush=True)
            while self._serve_one():
                pass
        except SystemExit:
            pass
        self._drain()

    def _serve_one(self) -> bool:
        assert self.listener is not None
        connection, _ = self.listener.accept()
        with connection:
            words = connection.recv(4096).decode().split()
            if words == ["quit"]:
                # Answer first: the client need not wait for the journal.
                connection.sendall(b"bye\n")
                return False
            if words[:1] == ["add"]:
                self.journal.add(job=words[1])
            connection.sendall(f"{len(self.journal.events)}\n".encode())
        return True

    def _on_term(self, signum: int, frame: FrameType | None) -> None:
        raise SystemExit

    def _drain(self) -> None:
        if self.listener is not None:
            self.listener.close()
        print(f"agent {os.getpid()} draining {len(self.journal.events)} events", flush=True)
        self.journal.compact()
        self.pid_file.unlink()
        print(f"agent {os.getpid()} drained", flush=True)


if __name__ == "__main__":
    Agent(Path(sys.argv[1]), int(sys.argv[2])).run()
