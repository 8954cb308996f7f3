// correct
// why: the signal is sent every tenth of a second until nobody is there: the number is no limit
export const killUntilGone = async (pid: number) => {
  return new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      try {
        process.kill(pid);
      } catch (error) {
        if (error.code !== 'ESRCH') {
          return;
        }
        clearInterval(timer);
        resolve();
      }
    }, 100);
  });
};
