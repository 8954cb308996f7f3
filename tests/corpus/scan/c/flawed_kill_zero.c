// flawed: check-before-exit
// why: kill(pid, 0) straight after SIGTERM, before the child has been reaped
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_terminate(void) {
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    assert(kill(pid, SIGTERM) == 0);
    assert(kill(pid, 0) == -1 && errno == ESRCH);
    waitpid(pid, NULL, 0);
}
