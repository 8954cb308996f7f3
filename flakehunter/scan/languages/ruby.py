"""Ruby: Process, Kernel#spawn and fork, IO.popen, Open3, childprocess, RSpec, minitest, test-unit."""

import re

import tree_sitter_ruby

from flakehunter.scan.events import Alive
from flakehunter.scan.idioms import (
    assign,
    bind,
    effect,
    gate,
    look,
    pause,
    ready,
    reaper,
    run,
    signal,
    spawn,
    use,
    wait,
)
from flakehunter.scan.kinds import CLOSURES
from flakehunter.scan.syntax import Spec

IDIOMS = (
    run(r".+\.run!?", needs=r"\.run!?[(\s]\s*[\"']"),
    run(r"(?:Kernel\.)?system|Open3\.(?:capture\w+)|subshell|`"),
    spawn(r"(?:Process\.|Kernel\.)?(?:spawn|fork)|IO\.popen|Open3\.popen\w+|PTY\.spawn|ChildProcess\.build|Process\.daemon"),
    look(r"Process\.kill", who="args", needs=r"kill[(\s]+(?:0|:EXIT|[\"']EXIT[\"']|[\"']0[\"'])\s*,", alive=Alive.NO_ERROR, counts_zombies=True),  # noqa: E501
    look(r"Process\.(?:getpgid|getsid|getpriority)", who="0", alive=Alive.NO_ERROR, counts_zombies=True),
    look(r"expect\(\)\.(?:to|not_to|to_not)", needs=r"be_(?:alive|running)\b", matcher=True),
    look(r"(?:assert|refute)_predicate", who="0", needs=r":(?:alive|running)\?", matcher=True),
    signal(r"Process\.kill", who="args"),
    signal(r".+\.(?:kill|terminate|stop!)", known=True),
    look(r"Process\.(?:wait2?|waitpid2?)", who="0", needs=r"WNOHANG", alive=Alive.NULL),
    wait(r"Process\.(?:wait2?|waitpid2?|waitall|detach\(\)\.(?:join|value))", who="args"),
    wait(r".+\.(?:value|join|wait|poll_for_exit)", timeout=0, known=True),
    wait(r".+\.close", known=True, needs=r"\bio\b|popen|pipe"),
    pause(r"(?:Kernel\.)?sleep"),
    look(r"File\.(?:exist\?|exists\?|directory\?|read)|Dir\.exist\?|File\.open", who="args", needs=r"/proc/", counts_zombies=True),  # noqa: E501
    look(r".+\.(?:alive\?|exited\?|crashed\?)", known=True),
    ready(r".+\.(?:gets|readline|read|readpartial|read_nonblock|readlines|expect|wait_readable|getc|pop)|IO\.select|readline", unless=r"^(?:File|IO|Pathname)\.(?:read|new|open)"),  # noqa: E501
    gate(r"\w*stdin\w*\.(?:puts|write|close|close_write)|w\w*\.(?:puts|write)"),
    reaper(r"Process\.detach", who="0"),
    assign(r"(?:File|IO)\.(?:write|binwrite)|.+\.(?:write|puts|print)", needs=r"cgroup\.procs|cgroup\S*/tasks"),
    bind(r"(?:TCPServer|UNIXServer|UDPSocket|WEBrick::HTTPServer)\.(?:new|open)|(?:TCPServer|UNIXServer)\.new|FileUtils\.(?:rm\w*|remove\w*|mv)|File\.(?:delete|unlink|rename)|.+\.flock|Dir\.rmdir"),
    bind(r"File\.exist\?", needs=r"pid_?file|lock|sock|\.pid\b"),
    effect(r"File\.(?:exist\?|read|size)"),
    use(r"TCPSocket\.(?:new|open)|UNIXSocket\.\w+|Net::HTTP\.\w+|Net\.HTTP\.\w+|URI\.open"),
)  # fmt: skip
PROPERTIES: tuple[()] = ()


def imports(source: str) -> tuple[str, ...]:
    """Return the files that `source` requires from beside itself or from a folder above."""
    found = re.findall(r"""require_relative\s*\(?\s*['"]([^'"]+)['"]""", source)
    found += re.findall(r"""^\s*require\s*\(?\s*['"]([\w/.-]+)['"]""", source, re.MULTILINE)
    return tuple(path.removesuffix(".rb") for path in found)


SPEC = Spec(
    name="ruby",
    suffixes=(".rb", ".rake"),
    grammar=tree_sitter_ruby.language,
    idioms=IDIOMS,
    imports=imports,
    closures=CLOSURES | {"block", "do_block"},
    tries=frozenset({"begin", "body_statement", "block_body"}),
    comments=(b"#",),
)
