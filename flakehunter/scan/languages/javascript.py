"""JavaScript and TypeScript: child_process, process.kill, execa, tree-kill, abort signals, test runners' polls."""

import re

import tree_sitter_javascript
import tree_sitter_typescript

from flakehunter.scan.events import Alive, Scope
from flakehunter.scan.idioms import assign, bind, effect, gate, look, pause, ready, run, signal, spawn, use, wait
from flakehunter.scan.kinds import CLOSURES
from flakehunter.scan.syntax import Spec

IDIOMS = (
    run(r"(?:\w+\.)?(?:execSync|spawnSync|execFileSync|execaSync|execaCommandSync)|Bun\.spawnSync"),
    look(r"process\.kill", who="0", needs=r",\s*0\s*(?:as \w+)?\)", alive=Alive.NO_ERROR, counts_zombies=True),
    signal(r"process\.kill|Deno\.kill|taskkill", who="0"),
    signal(r"^(?:treeKill|kill(?:Tree)?|treekill|fkill|terminate|killProcessTree|killTree|pidtreeKill|psTreeKill)", who="0", scope=Scope.TREE, known=True),  # noqa: E501
    signal(r".*(?:[aA]bort\w*|[cC]ontroller|\bac)\.abort", scope=Scope.OPAQUE),
    signal(r".+\.destroy", known=True),
    signal(r".+\.(?:kill|terminate)", unless=r"\.(?:stdin|stdout|stderr|socket|stream|agent)\.destroy|process\.kill", known=False),  # noqa: E501
    spawn(r"(?:child_process\.|cp\.|childProcess\.)?(?:spawn|fork|exec|execFile|execa|execaCommand|execaNode)|spawnProcess|pty\.spawn|Bun\.spawn|crossSpawn|"
          r"nodeSpawn|execAsync|execPromise|\$|Deno\.Command|Worker", unless=r"^[\w.]*\.exec\(\s*[\w.]+\s*\)$|\.test\(|^/"),  # noqa: E501
    wait(r"(?:events\.)?once", who="0", needs=r"['\"](?:exit|close|disconnect)['\"]"),
    ready(r"(?:events\.)?once|.+\.once|.+\.on", who="args", needs=r"['\"](?:data|message|spawn|line|ready|listening|readable)['\"]"),  # noqa: E501
    wait(r".+\.(?:waitForExit|waitExit|exited|onExit|waitUntilExit|wait)", known=True),
    wait(r"waitForExit|onExit|waitForProcess\w*|waitProcess\w*|waitFor\w*(?:Exit|Close|Death|Gone|Dead)", who="args",
         timeout=1, alive=Alive.FALSE, silent=True),
    pause(r"setTimeout", timeout=1), pause(r"(?:timers\.|timersPromises\.)?(?:sleep|delay|wait|setTimeoutPromise|setTimeoutAsync|pause)|Bun\.sleep|"  # noqa: E501
          r".+\.(?:sleep|delay|waitForTimeout)|promisify\(\)|setImmediatePromise|nextTick"),
    look(r"(?:fs\.)?(?:existsSync|accessSync|statSync|readFileSync)", who="args", needs=r"/proc/", counts_zombies=True),
    look(r"(?:isRunning|is-running|psExists|processExists|pidExists|pidAlive)", who="0", counts_zombies=True),
    gate(r".+\.stdin\.(?:write|end)|.+\.send"),
    assign(r"(?:\w+\.)*(?:writeFileSync|appendFileSync|writeFile|appendFile)", needs=r"cgroup\.procs|cgroup\S*/tasks"),
    bind(r".+\.listen|(?:http\.|net\.)?createServer\(\)\.listen|(?:fs(?:p|Promises)?\.|fs\.promises\.)?(?:rm|rmSync|rmdir|rmdirSync|unlink|unlinkSync|rename|renameSync|remove|removeSync|emptyDir)|"
         r"rimraf|lockfile\.\w+|del|Deno\.remove"),
    bind(r"(?:fs\.)?(?:openSync|open|writeFileSync)", needs=r"['\"]wx"),
    bind(r"(?:fs\.)?existsSync", needs=r"pid_?[fF]ile|lock|[sS]ock|\.pid\b"),
    effect(r"(?:fs\.)?(?:existsSync|readFileSync|statSync)"),
    use(r"fetch|(?:net\.)?(?:createConnection|connect)|(?:http|https)\.(?:get|request)|axios\.\w+|got|supertest|new WebSocket|WebSocket|WebSocketClient"),  # noqa: E501
)  # fmt: skip
PROPERTIES = (look(r".+\.(?:exitCode|signalCode)", alive=Alive.NULL, known=True, unless=r"^process\."),)


def imports(source: str) -> tuple[str, ...]:
    """Return the relative modules that `source` imports or requires."""
    found = re.findall(r"""(?:from|require\(|import\()\s*['"](\.{1,2}/[^'"]+)['"]""", source)
    return tuple(re.sub(r"\.(?:[cm]?[jt]sx?)$", "", path) for path in found)


def _spec(name: str, suffixes: tuple[str, ...], grammar: object) -> Spec:
    return Spec(
        name=name,
        suffixes=suffixes,
        grammar=grammar,  # type: ignore[arg-type]
        idioms=IDIOMS,
        properties=PROPERTIES,
        sleep_unit_s=1e-3,
        wait_unit_s=1e-3,
        auto_reaps=True,
        imports=imports,
        closures=CLOSURES | {"function"},
    )


SPECS = (
    _spec("javascript", (".js", ".mjs", ".cjs", ".jsx"), tree_sitter_javascript.language),
    _spec("typescript", (".ts", ".mts", ".cts"), tree_sitter_typescript.language_typescript),
    _spec("tsx", (".tsx",), tree_sitter_typescript.language_tsx),
)
