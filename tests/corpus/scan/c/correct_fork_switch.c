// correct
// why: the pause and the signal in the case of the child are the child's own
#include <assert.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

void test_child_ends_its_own(void)
{
    int status;
    pid_t pid = fork();
    switch (pid) {
    case -1:
        assert(0);
        break;
    case 0:
        sleep(1);
        kill(getppid(), SIGCONT);
        _exit(0);
    default:
        assert(waitpid(pid, &status, 0) == pid);
        assert(kill(pid, 0) == -1);
    }
}
