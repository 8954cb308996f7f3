// flawed: check-before-exit
// why: kill and kill 0 with nothing between
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_terminate(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("sleep", "sleep", "60", (char *)NULL);
        _exit(127);
    }
    assert(kill(pid, SIGKILL) == 0);
    int status = 0;
    assert(waitpid(pid, &status, WNOHANG) == pid);
}

int main(void)
{
    test_terminate();
    return 0;
}
