"""The agent: draining and restart, with every wait on the event itself."""

import socket

from jobkeeper.journal import read_compacted


def test_sigterm_compacts_the_journal_before_exit(agents, state):
    agent = agents.start().wait_ready()
    agent.process.terminate()
    agent.process.wait(timeout=20)
    assert len(read_compacted(state / "journal.z")) == 2000


def test_ready_agent_drains_on_sigterm(agents):
    agent = agents.start().wait_ready()
    agent.process.terminate()
    code = agent.process.wait()
    assert code == 0, f"SIGTERM ended the agent ({code}) instead of draining it; its output:\n{agent.rest()}"


def test_stop_returns_the_exit_code_by_the_deadline(agents):
    agent = agents.start().wait_ready()
    assert agent.stop(timeout_s=20) == 0


def test_quit_frees_the_port_by_its_exit(agents):
    agent = agents.start().wait_ready()
    assert agent.ask("quit") == "bye"
    agent.process.wait(timeout=20)
    with socket.create_server(("127.0.0.1", agent.port)) as successor:
        assert successor.getsockname()[1] == agent.port


def test_agent_restarts_on_its_port(agents):
    first = agents.start().wait_ready()
    assert first.ask("quit") == "bye"
    first.process.wait(timeout=20)
    second = agents.start(first.port).wait_ready()
    assert second.ask("status") == "2000"


def test_pid_file_is_removed(agents):
    agent = agents.start().wait_ready()
    assert agent.pid_file.read_text() == f"{agent.process.pid}\n"
    agent.stop(timeout_s=20)
    assert not agent.pid_file.exists()
