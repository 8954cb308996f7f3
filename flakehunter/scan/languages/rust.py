"""Rust: std::process, nix, libc, tokio, sysinfo."""

import re

import tree_sitter_rust

from flakehunter.scan.events import Alive, Scope
from flakehunter.scan.idioms import assign, bind, build, gate, look, pause, ready, run, signal, spawn, use, wait
from flakehunter.scan.kinds import TRIES
from flakehunter.scan.syntax import Spec

IDIOMS = (
    run(r".+\.(?:output|status)|.+\.(?:success|failure)"),
    spawn(r".+\.(?:spawn|group_spawn)", who="receiver", unless=r"^(?:std::)?(?:thread|tokio|task|rayon|scope|s)(?:::|\.)\w*spawn|^\w*(?:rt|runtime|pool|set|executor|scope)\.spawn"),  # noqa: E501
    build(r"(?:\w+\.)*Command\.new"),
    spawn(r"(?:libc\.|nix\.unistd\.|unistd\.)?fork"),
    look(r"^(?:libc\.|signal\.|nix\.sys\.signal\.|nix\.|sys\.signal\.)?kill", who="0", needs=r",\s*(?:None|0)\s*\)", alive=Alive.NO_ERROR, counts_zombies=True),  # noqa: E501
    look(r"(?:test_)?kill_process", who="0", needs=r"(?!)"),
    signal(r"^(?:libc\.|signal\.|nix\.sys\.signal\.|sys\.signal\.)?killpg", who="0", scope=Scope.GROUP),
    signal(r"^(?:libc\.|signal\.|nix\.sys\.signal\.|sys\.signal\.|rustix\.process\.)?kill(?:_process)?", who="0"),
    signal(r"kill_process_group|rustix\.process\.kill_process_group", who="0", scope=Scope.GROUP),
    signal(r".+\.(?:kill|start_kill)", signal="KILL"),
    signal(r".+\.(?:terminate|send_signal|signal|interrupt)", unless=r"ctrl_c|signal\.signal"),
    signal(r"(?:\w*token|\w*cancel\w*)\.cancel", who="none", scope=Scope.OPAQUE),
    look(r".+\.try_wait", alive=Alive.NULL),
    look(r"(?:\w+\.)*waitpid", who="0", needs=r"WNOHANG", alive=Alive.PID),
    wait(r"(?:\w+\.)*wait(?:pid|id)", who="0"),
    wait(r".+\.wait_timeout", timeout=0),
    wait(r".+\.(?:wait|wait_with_output)"),
    pause(r"(?:\w+\.)*sleep"),
    look(r"(?:Path|PathBuf)\.(?:new|from)\(\)\.(?:exists|is_dir)|.+\.exists|(?:std\.)?fs\.(?:metadata|read_to_string|read_link|exists)", who="any", needs=r"/proc/", counts_zombies=True),  # noqa: E501
    ready(r".+\.(?:read_line|next_line|lines|read_until|read_exact|recv|accept|read)|.+\.lines\(\)\.next"),
    gate(r".+\.stdin\.\w+|.+\.(?:write_all|write)|drop", needs=r"stdin"),
    assign(r"(?:\w+\.)*AssignProcessToJobObject|.+\.(?:assign_process|assign_current_process|add_task|add_task_by_tgid)"),
    assign(r"(?:\w+\.)*fs\.write|.+\.write_all", needs=r"cgroup\.procs"),
    assign(r"(?:\w+\.)*setpgid", who="0", needs=r"setpgid\(\s*(?:Pid::from_raw\()?[a-z]*(?:pid|child)"),
    bind(r"(?:\w+\.)*(?:TcpListener|UdpSocket|UnixListener|Server)\.bind|(?:\w+\.)*fs\.(?:remove_dir_all|remove_file|remove_dir|rename)|.+\.(?:try_lock_exclusive|lock_exclusive)|sled\.open|DB\.open\w*"),
    use(r"(?:\w+\.)*(?:TcpStream|UnixStream)\.connect|reqwest\.\w+(?:\.\w+)?|ureq\.get"),
)  # fmt: skip
_MACRO = re.compile(rb"(?<=\w)!(?=[(])")


def prepare(source: bytes) -> bytes:
    """Write `assert!(…)` as `assert_(…)`: the grammar leaves what stands in a macro unparsed, but not in a call."""
    return _MACRO.sub(b"_", source)


def imports(source: str) -> tuple[str, ...]:
    """Return the modules that `source` declares with `mod`, as files or folders."""
    found = re.findall(r"^\s*(?:pub\s+)?mod\s+(\w+)\s*;", source, re.MULTILINE)
    return tuple(path for name in found for path in (name, f"{name}/mod"))


SPEC = Spec(
    name="rust",
    suffixes=(".rs",),
    grammar=tree_sitter_rust.language,
    idioms=IDIOMS,
    tries=TRIES - {"try_expression"},
    sleep_unit_s=1.0,
    prepare=prepare,
    imports=imports,
)
