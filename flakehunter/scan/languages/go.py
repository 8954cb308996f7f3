"""Go: os/exec, os.Process, syscall and x/sys/unix, contexts, testify and gomega polls."""

import tree_sitter_go

from flakehunter.scan.events import Alive, Scope
from flakehunter.scan.idioms import assign, bind, build, gate, look, pause, ready, run, signal, spawn, use, wait
from flakehunter.scan.syntax import Spec

IDIOMS = (
    build(r"exec\.Command(?:Context)?|execabs\.Command|testenv\.Command(?:Context)?|exec\.CommandContext"),
    run(r".+\.(?:Run|Output|CombinedOutput)"),
    spawn(r".+\.Start", who="receiver", unless=r"^(?:ts|srv|svr|s|\w*[sS]erver|\w*[tT]imer|\w*[tT]icker|\w*[lL]istener)\.Start"),  # noqa: E501
    spawn(r"os\.StartProcess|syscall\.(?:StartProcess|ForkExec)"),
    look(r"(?:syscall|unix)\.Kill", who="0", needs=r",\s*(?:0|syscall\.Signal\(0(?:x0)?\)|unix\.Signal\(0\))\s*\)", alive=Alive.NO_ERROR, counts_zombies=True),  # noqa: E501
    look(r".+\.Signal", needs=r"Signal\(\s*(?:syscall|unix)\.Signal\(\s*0(?:x0)?\s*\)|Signal\(nil\)", alive=Alive.NO_ERROR, counts_zombies=True),  # noqa: E501
    signal(r"(?:syscall|unix)\.Kill", who="0"),
    signal(r".+\.Kill", who="0", needs=r"\.Kill\(\s*\w*(?:[pP]id|PID)\w*\s*\)", signal="KILL"),
    signal(r".*[pP]roc(?:ess)?\.Kill|.*\b(?:p|ps|child)\.Kill", signal="KILL"),
    signal(r".+\.Signal", unless=r"^(?:syscall|unix|os)\.Signal"),
    signal(r"^(?:cancel\w*|stop|\w+Cancel|[\w.]+\.cancel)", who="none", scope=Scope.OPAQUE, needs=r"\(\)$"),
    look(r".+\.Wait4|(?:syscall|unix)\.Wait4", who="0", needs=r"WNOHANG", alive=Alive.PID),
    wait(r"(?:syscall|unix)\.Wait4", who="0"),
    wait(r".+\.Wait"),
    pause(r"time\.Sleep"),
    look(r"os\.(?:Stat|Lstat|ReadFile|ReadDir|Open)|ioutil\.ReadFile", who="args", needs=r"/proc/|\"proc\"", alive=Alive.NO_ERROR, counts_zombies=True),  # noqa: E501
    look(r"(?:process|ps|gopsutil)\.(?:PidExists\w*)", who="args", counts_zombies=True),
    look(r".+\.IsRunning|.+\.ProcessState\.Exited", known=True),
    ready(r".+\.(?:ReadString|ReadLine|ReadBytes|Scan|ReadByte|Read|Accept)|bufio\.\w+|fmt\.Fscan\w*|io\.ReadFull|io\.ReadAll"),
    gate(r"\w*stdin\w*\.(?:Write|Close|WriteString)|(?:io\.WriteString|fmt\.Fprint\w*)", who="none", needs=r"[sS]tdin"),
    assign(r"(?:windows\.)?AssignProcessToJobObject|(?:cgroups?|cg|manager|cgroup\w*)\.(?:AddProc|Add|Apply|AddTask)"),
    assign(r".+\.Add", needs=r"cgroups?\w*\.Process\{"),
    assign(r"(?:\w+\.)*\w*[wW]rite\w*", needs=r"cgroup\.procs|cgroupProcs"),
    assign(r"(?:syscall|unix)\.Setpgid", who="0", needs=r"Setpgid\(\s*[a-zA-Z.]*(?:Pid|pid)"),
    bind(r"net\.Listen\w*|os\.(?:Remove|RemoveAll|Rename)|(?:syscall|unix)\.Flock|bolt\.Open|bbolt\.Open|leveldb\.OpenFile|badger\.Open|flock\.New\(\)\.\w*Lock"),
    use(r"net\.Dial\w*|http\.(?:Get|Post|Head)|.+\.Dial|grpc\.Dial\w*"),
)  # fmt: skip
PROPERTIES = (look(r".+\.ProcessState", alive=Alive.NULL, known=True),)

SPEC = Spec(
    name="go",
    suffixes=(".go",),
    grammar=tree_sitter_go.language,
    idioms=IDIOMS,
    properties=PROPERTIES,
    sleep_unit_s=1e-9,
    wait_unit_s=1e-9,
    same_folder=True,
)
