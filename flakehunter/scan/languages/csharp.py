"""C#: System.Diagnostics.Process, job objects by P/Invoke, xUnit, NUnit, MSTest, FluentAssertions."""

import tree_sitter_c_sharp

from flakehunter.scan.events import Alive, Scope
from flakehunter.scan.idioms import assign, bind, build, gate, look, pause, ready, signal, spawn, use, wait
from flakehunter.scan.syntax import Spec

IDIOMS = (
    build(r"(?:\w+\.)*ProcessStartInfo"),
    build(r"(?:System\.Diagnostics\.)?Process", needs=r"^new "),
    spawn(r"(?:System\.Diagnostics\.)?Process\.Start"),
    spawn(r".+\.Start", who="receiver", unless=r"[tT]hread\w*\.Start|[tT]imer\.Start|[wW]atch\.Start|[sS]erver\.Start|[hH]ost\.Start|[lL]istener\.Start|^(?:Task|Stopwatch)"),  # noqa: E501
    signal(r".+\.Kill", needs=r"Kill\(\s*(?:true|entireProcessTree)", scope=Scope.TREE, signal="KILL"),
    signal(r".+\.Kill(?:Tree)?", signal="KILL"),
    signal(r".+\.CloseMainWindow", signal="TERM"),
    signal(r"(?:NativeMethods\.|Kernel32\.|kernel32\.)?TerminateProcess", who="0", signal="KILL"),
    signal(r"(?:NativeMethods\.|Kernel32\.)?TerminateJobObject", who="none", scope=Scope.TREE, signal="KILL"),
    signal(r"(?:Syscall\.|Libc\.|libc\.|NativeMethods\.)?kill", who="0", unless=r",\s*0\s*\)"),
    look(r"(?:Syscall\.|Libc\.|libc\.|NativeMethods\.)?kill", who="0", needs=r",\s*0\s*\)", alive=Alive.ZERO, counts_zombies=True),  # noqa: E501
    signal(r"(?:\w*[cC]ts|\w*[cC]ancel\w*)\.(?:Cancel|CancelAsync)", who="none", scope=Scope.OPAQUE),
    wait(r".+\.WaitForExit(?:Async)?", timeout=0, alive=Alive.FALSE, silent=True),
    look(r"(?:System\.Diagnostics\.)?Process\.GetProcessById", who="0", alive=Alive.NO_ERROR),
    look(r"(?:System\.Diagnostics\.)?Process\.GetProcesses(?:ByName)?", who="args"),
    pause(r"Thread\.Sleep|Task\.Delay|Task\.Delay\(\)\.Wait"),
    look(r"(?:Directory|File)\.Exists", who="args", needs=r"/proc/", counts_zombies=True),
    ready(r".+\.(?:StandardOutput|StandardError)\.\w+|.+\.(?:ReadLine|ReadLineAsync|ReadToEnd|WaitForInputIdle|WaitOne)"),
    gate(r".+\.StandardInput\.\w+|(?:NativeMethods\.)?ResumeThread"),
    assign(r"(?:\w+\.)*AssignProcessToJobObject|(?:\w*[jJ]ob\w*)\.(?:AddProcess|AssignProcess|Assign|Add)"),
    assign(r"File\.(?:WriteAllText|AppendAllText)", needs=r"cgroup\.procs"),
    bind(r"(?:\w+\.)*(?:TcpListener|HttpListener)|.+\.(?:Bind)|(?:\w+\.)?(?:File|Directory)\.(?:Delete|Move)|File\.Open|(?:new )?FileStream"),  # noqa: E501
    bind(r"File\.Exists", needs=r"[pP]id[fF]?ile|[lL]ock|\.pid\b"),
    use(r".+\.(?:Connect|ConnectAsync)|.+\.(?:GetAsync|GetStringAsync)"),
)  # fmt: skip
PROPERTIES = (look(r".+\.HasExited", alive=Alive.FALSE), look(r".+\.ExitCode", alive=Alive.NO_ERROR, known=True))

SPEC = Spec(
    name="csharp",
    suffixes=(".cs",),
    grammar=tree_sitter_c_sharp.language,
    idioms=IDIOMS,
    properties=PROPERTIES,
    sleep_unit_s=1e-3,
    wait_unit_s=1e-3,
    auto_reaps=True,
    same_folder=True,
)
