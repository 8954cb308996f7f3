"""The agent: requests, draining, restart."""

import json
import socket
import time

from jobkeeper.journal import read_compacted


def test_status_counts_events(agents):
    agent = agents.start().wait_ready()
    assert agent.ask("status") == "2000"
    assert agent.ask("add nightly-99") == "2001"


def test_added_event_is_in_the_journal_at_once(agents, state):
    agent = agents.start().wait_ready()
    agent.ask("add deploy")
    last = (state / "journal.jsonl").read_text().splitlines()[-1]
    assert json.loads(last) == {"job": "deploy"}


def test_sigterm_compacts_the_journal(agents, state):
    agent = agents.start().wait_ready()
    agent.process.terminate()
    time.sleep(0.08)
    compacted = state / "journal.z"
    assert compacted.exists(), f"no compacted journal 0.08 s after SIGTERM, agent exit code: {agent.process.poll()}"
    assert len(read_compacted(compacted)) == 2000


def test_started_agent_drains_on_sigterm(agents):
    agent = agents.start()
    deadline = time.monotonic() + 20
    while not agent.pid_file.exists():
        assert time.monotonic() < deadline, "the agent has written no pid file"
        time.sleep(0.1)
    agent.process.terminate()
    code = agent.process.wait()
    assert code == 0, f"SIGTERM ended the agent ({code}) instead of draining it; its output:\n{agent.rest()}"


def test_stop_returns_the_exit_code(agents):
    agent = agents.start().wait_ready()
    assert agent.stop(timeout_s=0.15) == 0


def test_quit_frees_the_port(agents):
    agent = agents.start().wait_ready()
    assert agent.ask("quit") == "bye"
    with socket.create_server(("127.0.0.1", agent.port)) as successor:
        assert successor.getsockname()[1] == agent.port
