// flawed: check-before-exit
// why: QProcess::kill and state() at once
#include <QProcess>
#include <QtTest>

class TestRunner : public QObject
{
    Q_OBJECT
private slots:
    void stopsTheProcess()
    {
        QProcess process;
        process.start("sleep", {"60"});
        QVERIFY(process.waitForStarted());
        process.kill();
        QCOMPARE(process.state(), QProcess::NotRunning);
    }
};
