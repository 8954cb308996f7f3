// flawed: signal-before-ready
// why: the child, in the other branch, sets its handler some time within the pause
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int number) { _exit(number); }

void test_pipe_signal_is_handled(void)
{
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid) {
        int status;
        sleep(1);
        kill(pid, SIGPIPE);
        assert(waitpid(pid, &status, 0) == pid);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == SIGPIPE);
    } else {
        signal(SIGPIPE, leave);
        pause();
        _exit(1);
    }
}
