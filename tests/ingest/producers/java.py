"""Surefire under Maven with JUnit 4 and its reruns, and with TestNG; Gradle. From Debian and without a network."""

import re

from producers.common import PROJECT, Made, MissingProducerError, project, run, version

MAVEN = ("mvn", "-o", "-B", "-Dmaven.repo.local=/usr/share/maven-repo", "-Dstyle.color=never")
"""Debian's packages are a repository of their own."""

POM = """
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId><artifactId>child</artifactId><version>1</version>
  <properties>
    <maven.compiler.source>8</maven.compiler.source><maven.compiler.target>8</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies><dependency>{dependency}<scope>test</scope></dependency></dependencies>
</project>
"""
JUNIT = "<groupId>junit</groupId><artifactId>junit</artifactId><version>4.x</version>"
TESTNG = "<groupId>org.testng</groupId><artifactId>testng</artifactId><version>debian</version>"

SUREFIRE = {
    "pom.xml": POM.format(dependency=JUNIT),
    "src/test/java/org/example/ChildTest.java": """
package org.example;
import static org.junit.Assert.*;
import org.junit.*;
public class ChildTest {
  static int tries;
  @Test public void passes() {}
  @Test public void childIsGone() {
    System.out.println("sent SIGKILL to pid 4711");
    assertEquals("process 4711 is still alive", "gone", "alive");
  }
  @Test public void isGoneAtTheSecondTry() { assertTrue("process 4711 is still alive", ++tries > 1); }
  @Test public void breaks() { throw new IllegalStateException("no server"); }
  @Ignore("not today") @Test public void skipped() {}
}
""",
    "src/test/java/org/example/SetUpTest.java": """
package org.example;
import org.junit.*;
public class SetUpTest {
  @BeforeClass public static void start() { throw new IllegalStateException("port 4711 in use"); }
  @Test public void never() {}
}
""",
}


def surefire() -> Made:
    """Surefire with JUnit 4: failed tests are run again once."""
    folder = project(SUREFIRE)
    command = (*MAVEN, "-Dsurefire.rerunFailingTestsCount=1", "test")
    made = Made("surefire", version("dpkg-query", "-W", "libsurefire-java"), "mvn " + " ".join(command[-2:]))
    log = run(folder, *command)
    return _kept(made, log, "surefire", "org.example.ChildTest", "org.example.SetUpTest")


CHILD_TESTNG = """
package org.example;
import static org.testng.Assert.*;
import org.testng.SkipException;
import org.testng.annotations.*;
public class ChildTest {
  @DataProvider public Object[][] signals() { return new Object[][] {{"TERM", 15}, {"KILL", 9}}; }
  @Test public void passes() {}
  @Test(dataProvider = "signals") public void isGoneAfter(String name, int number) {
    assertTrue(number == 9, "process 4711 is still alive after SIG" + name);
  }
  @Test public void skipped() { throw new SkipException("not today"); }
  @Test(dependsOnMethods = "isGoneAfter") public void never() {}
}
"""


def testng() -> Made:
    """Surefire with TestNG: a data provider, and a test that depends on one that failed."""
    folder = project(
        {"pom.xml": POM.format(dependency=TESTNG), "src/test/java/org/example/ChildTest.java": CHILD_TESTNG}
    )
    made = Made("testng", version("dpkg-query", "-W", "testng"), "mvn test")
    return _kept(made, run(folder, *MAVEN, "test"), "testng", "org.example.ChildTest")


def _kept(made: Made, log: str, name: str, *reports: str) -> Made:
    for report in reports:
        path = PROJECT / "target/surefire-reports" / f"TEST-{report}.xml"
        if not path.exists():
            raise MissingProducerError(f"{name}: {log[-300:]}")
        made.keep(f"{name}/{path.name}", _without_machine(path.read_text(encoding="utf-8")))
    made.keep(f"{name}/console.log", log)
    # The last such line is the sum.
    made.says = re.findall(r"Tests run: .*", log)[-1]
    return made


def _without_machine(text: str) -> str:
    """Leave out the system properties that tell of the machine: its kernel, its user, its paths."""
    return re.sub(r' *<property name="(?!java\.version"|surefire\.|user\.timezone")[^>]*/>\n', "", text)


GRADLE = {
    "settings.gradle": "rootProject.name = 'child'\n",
    "build.gradle": """
apply plugin: 'java'
repositories { maven { url 'file:///usr/share/maven-repo' } }
dependencies { testCompile 'junit:junit:4.x' }
test { ignoreFailures = true; testLogging { events 'passed', 'failed', 'skipped', 'standardOut' } }
""",
    **{name: text for name, text in SUREFIRE.items() if name.endswith(".java")},
}


def gradle() -> Made:
    """Gradle's own reports with JUnit 4; it runs nothing again without a plugin."""
    folder = project(GRADLE)
    made = Made("gradle", version("gradle", "--version"), "gradle test")
    log = run(folder, "gradle", "--offline", "--no-daemon", "--console=plain", "test")
    reports = sorted((folder / "build/test-results/test").glob("TEST-*.xml"))
    if not reports:
        raise MissingProducerError(f"gradle: {log[-300:]}")
    for path in reports:
        made.keep_file(f"gradle/{path.name}", path)
    # Before the first test come warnings of this Gradle about this Java, with a stack trace each.
    made.keep("gradle/console.log", log[log.index(":test") :])
    made.counts(log, r"^\d+ tests completed")
    return made


MAKERS = {"surefire": surefire, "testng": testng, "gradle": gradle}
