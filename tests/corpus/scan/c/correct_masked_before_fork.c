// correct
// why: the signal is blocked and has its handler since before the fork, and the child waits for it
#include <assert.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void noted(int number) { (void)number; }

void test_child_goes_on_when_it_is_told(void)
{
    int status;
    sigset_t blocked, empty;
    struct sigaction action = {.sa_handler = noted};
    sigemptyset(&empty);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    sigaction(SIGUSR1, &action, NULL);
    pid_t child = fork();
    switch (child) {
    case 0:
        sigsuspend(&empty);
        _exit(0);
    default:
        assert(kill(child, SIGUSR1) == 0);
    }
    assert(waitpid(child, &status, 0) == child);
    assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
