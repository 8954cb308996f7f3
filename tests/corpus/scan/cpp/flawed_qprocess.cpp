// flawed: deadline-too-short
// why: 100 ms are less than a loaded machine needs
#include <QProcess>
#include <QTest>

class TestWorker : public QObject {
  void terminates() {
    QProcess process;
    process.start("sleep", {"100"});
    QVERIFY(process.waitForStarted());
    process.terminate();
    QVERIFY(process.waitForFinished(100));
  }
};
