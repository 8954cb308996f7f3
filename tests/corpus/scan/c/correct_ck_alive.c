// correct
// why: check's assertion that the process lives
static void test_alive(void **state) {
    pid_t pid = fork();
    if (pid == 0) { pause(); _exit(0); }
    kill(pid, SIGSTOP);
    ck_assert_int_eq(kill(pid, 0), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
