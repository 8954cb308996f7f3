// correct
// why: waitpid() blocks until the child has ended and reaps it
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_terminate(void) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    assert(kill(pid, SIGTERM) == 0);
    assert(waitpid(pid, &status, 0) == pid);
    assert(WIFSIGNALED(status));
    assert(kill(pid, 0) == -1 && errno == ESRCH);
}
