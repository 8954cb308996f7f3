// correct
// why: the child, in the other branch, says when its handler is set
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int number) { _exit(number); }

void test_pipe_signal_is_handled(void)
{
    int ready[2];
    char byte;
    assert(pipe(ready) == 0);
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid) {
        int status;
        assert(read(ready[0], &byte, 1) == 1);
        kill(pid, SIGPIPE);
        assert(waitpid(pid, &status, 0) == pid);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == SIGPIPE);
    } else {
        signal(SIGPIPE, leave);
        write(ready[1], "r", 1);
        pause();
        _exit(1);
    }
}
