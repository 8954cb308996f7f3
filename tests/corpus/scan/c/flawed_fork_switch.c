// flawed: signal-before-ready
// why: the case of the child sets the handler, some time within the pause of the other
#include <assert.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int number) { (void)number; _exit(0); }

void test_term_is_handled(void)
{
    int status;
    pid_t pid = fork();
    switch (pid) {
    case -1:
        assert(0);
        break;
    case 0:
        signal(SIGTERM, leave);
        pause();
        _exit(1);
    default:
        usleep(200000);
        kill(pid, SIGTERM);
        waitpid(pid, &status, 0);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}
