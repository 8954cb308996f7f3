// correct
// why: where there are signals the test waits for one; the pause is for a system that has none
#include <glib.h>
#include <signal.h>

static void test_child(void)
{
  GPid child;
  signal(SIGUSR1, on_usr1);
  g_spawn_async(NULL, argv, NULL, 0, NULL, NULL, &child, NULL);
#ifndef G_OS_WIN32
  loop = g_main_loop_new(NULL, FALSE);
  g_main_loop_run(loop);
#else
  g_usleep(2000000);
#endif
  kill(child, SIGUSR1);
}
