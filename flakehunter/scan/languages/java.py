"""Java and Kotlin: ProcessBuilder, Process, ProcessHandle, Awaitility, kotest."""

import tree_sitter_java
import tree_sitter_kotlin

from flakehunter.scan.events import Alive, Scope
from flakehunter.scan.idioms import assign, bind, build, effect, gate, look, pause, ready, signal, spawn, use, wait
from flakehunter.scan.syntax import Spec

IDIOMS = (
    build(r"(?:java\.lang\.)?ProcessBuilder"),
    spawn(r".+\.start", who="receiver", unless=r"[tT]hread\w*\.start|[sS]erver\.start|[tT]imer\.start|[wW]atch\.start"),
    spawn(r"(?:Runtime\.getRuntime\(\)|runtime|rt)\.exec|ProcessBuilder\.startPipeline"),
    signal(r".+\.(?:descendants|children)\(\)\.(?:forEach|map)", scope=Scope.TREE, needs=r"destroy"),
    signal(r".+\.forEach", needs=r"::destroy", signal="TERM"),
    signal(r".+\.destroy(?:Forcibly)?", signal="TERM", unless=r"(?:socket|driver|container|context|bean|servlet|filter)\w*\.destroy"),  # noqa: E501
    signal(r".+\.(?:supportsNormalTermination)", known=True, needs="(?!)"),
    wait(r".+\.waitFor", timeout=0, alive=Alive.FALSE, silent=True),
    wait(r".+\.onExit\(\)\.(?:get|join|orTimeout\(\)\.\w+|await)|.+\.onExit\(\)\.\w+", timeout=0),
    look(r".+\.isAlive", known=False, unless=r"[tT]hread\w*\.isAlive"),
    look(r".+\.exitValue", alive=Alive.NULL),
    look(r"ProcessHandle\.of(?:\(\)\.(?:isPresent|map|filter|isEmpty|orElse\w*|get))*(?:\(\)\.isAlive)?", who="args", known=True),  # noqa: E501
    look(r"Files\.(?:exists|isDirectory)|File\(\)\.exists", who="args", needs=r"/proc/|\"proc\"", counts_zombies=True),
    pause(r"Thread\.sleep|TimeUnit\.\w+\.sleep|delay|Uninterruptibles\.sleepUninterruptibly|sleep|LockSupport\.parkNanos"),
    ready(r".+\.(?:readLine|readText|read|readLines|readAllBytes|lineSequence|ready|accept|nextLine|hasNextLine)", unless=r"^Files\.|^(?:new )?File\("),  # noqa: E501
    gate(r".+\.(?:getOutputStream\(\)\.\w+|outputStream\.\w+|outputWriter\(\)\.\w+)|\w*(?:stdin|writer|Writer)\.(?:write|close|flush|newLine)"),
    assign(r"(?:Kernel32\.INSTANCE|kernel32|Kernel32Ext\.INSTANCE)\.AssignProcessToJobObject|AssignProcessToJobObject"),
    assign(r"Files\.(?:write|writeString)", needs=r"cgroup\.procs"),
    bind(r"(?:new )?(?:ServerSocket|DatagramSocket)|.+\.bind|Files\.(?:delete|deleteIfExists|move|walkFileTree)|FileUtils\.(?:delete\w*|forceDelete|cleanDirectory)|"  # noqa: E501
         r".+\.(?:deleteRecursively|tryLock|lock)|.+\.delete|MoreFiles\.\w+"),
    bind(r"Files\.exists|.+\.exists", needs=r"pid_?[fF]ile|lock|[sS]ock|\.pid\b"),
    effect(r"Files\.(?:exists|readString|readAllLines|size)|.+\.(?:exists|readText)"),
    use(r"(?:new )?Socket|.+\.connect|.+\.openConnection|HttpClient\.\w+"),
)  # fmt: skip
KOTLIN_PROPERTIES = (look(r".+\.isAlive"), look(r"ProcessHandle\.of\(\)\.isPresent", who="args", known=True))

SPEC = Spec(
    name="java",
    suffixes=(".java",),
    grammar=tree_sitter_java.language,
    idioms=IDIOMS,
    sleep_unit_s=1e-3,
    wait_unit_s=1e-3,
    auto_reaps=True,
    same_folder=True,
)
KOTLIN = Spec(
    name="kotlin",
    suffixes=(".kt", ".kts"),
    grammar=tree_sitter_kotlin.language,
    idioms=IDIOMS,
    properties=KOTLIN_PROPERTIES,
    sleep_unit_s=1e-3,
    wait_unit_s=1e-3,
    auto_reaps=True,
    same_folder=True,
)
