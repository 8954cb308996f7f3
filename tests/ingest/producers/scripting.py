"""Producers for shells, Perl, Ruby and PHP, from Debian."""

from producers.common import Made, MissingProducerError, project, run, version

BATS = {
    "child.bats": """
@test "passes" { true; }

@test "child is gone" {
  echo "sent SIGKILL to pid 4711"
  [ "process 4711 is still alive" = "gone" ]
}

@test "skipped" { skip "not today"; }
""",
    "other.bats": '@test "with <special> & characters" { true; }\n',
}


def bats() -> Made:
    """bats with its JUnit and TAP formatters."""
    folder = project(BATS)
    made = Made("bats", version("bats", "--version"), "bats --formatter junit child.bats other.bats")
    files = ("child.bats", "other.bats")
    made.keep("bats/junit.xml", run(folder, "bats", "--formatter", "junit", *files))
    made.keep("bats/tap.log", run(folder, "bats", "--formatter", "tap", *files))
    log = run(folder, "bats", "--formatter", "pretty", *files, TERM="dumb")
    made.keep("bats/pretty.log", log)
    made.counts(log, r"^\d+ tests?, \d+ failures?")
    return made


PERL = {
    "t/child.t": """
use Test::More tests => 5;
ok(1, 'passes');
diag('sent SIGKILL to pid 4711');
ok(0, 'child is gone');
SKIP: { skip 'not today', 1; ok(1, 'skipped'); }
TODO: { local $TODO = 'later'; ok(0, 'to do'); }
subtest 'inside' => sub { plan tests => 1; ok(1, 'deep'); };
""",
    "t/died.t": "use Test::More;\nok(1, 'before');\nkill 9, $$;\n",
}


def perl() -> Made:
    """prove, and TAP::Formatter::JUnit."""
    folder = project(PERL)
    if "Can't locate" in run(folder, "perl", "-MTAP::Formatter::JUnit", "-e", "1"):
        raise MissingProducerError("libtap-formatter-junit-perl")
    tell = "print $TAP::Formatter::JUnit::VERSION"
    made = Made(
        "prove", version("perl", "-MTAP::Formatter::JUnit", "-e", tell), "prove --formatter TAP::Formatter::JUnit"
    )
    # The formatter's stderr holds what the tests say; its XML goes to stdout alone.
    run(folder, "sh", "-c", "prove --formatter TAP::Formatter::JUnit t > junit.xml 2>/dev/null")
    made.keep_file("perl/junit.xml", folder / "junit.xml")
    log = run(folder, "prove", "-v", "t")
    made.keep("perl/prove.log", log)
    made.counts(log, r"^Files=\d+, Tests=\d+", r"Failed test")
    return made


RSPEC = {
    "spec/child_spec.rb": """
RSpec.describe "child" do
  it("passes") { expect(1).to eq(1) }
  context "when killed" do
    it "is gone" do
      puts "sent SIGKILL to pid 4711"
      expect("process 4711 is still alive").to eq("gone")
    end
  end
  it("is skipped", skip: "not today") { raise "never" }
  it "is pending"
  it("breaks") { raise IOError, "no server" }
end
""",
}


def rspec() -> Made:
    """RSpec with rspec_junit_formatter and its documentation format."""
    folder = project(RSPEC)
    made = Made("rspec", version("rspec", "--version"), "rspec -f d -f RspecJunitFormatter -o junit.xml")
    log = run(folder, "rspec", "--no-color", "-f", "d", "-f", "RspecJunitFormatter", "-o", "junit.xml")
    if not (folder / "junit.xml").exists():
        raise MissingProducerError("ruby-rspec-junit-formatter")
    made.keep("rspec/documentation.log", log)
    made.keep_file("rspec/junit.xml", folder / "junit.xml")
    made.counts(log, r"^\d+ examples?, \d+ failures?")
    return made


MINITEST = {
    "test/child_test.rb": """
require "minitest/autorun"
require "minitest/reporters"
Minitest::Reporters.use! [Minitest::Reporters::JUnitReporter.new("reports"), Minitest::Reporters::SpecReporter.new]
class ChildTest < Minitest::Test
  def test_passes; assert true; end
  def test_child_is_gone
    puts "sent SIGKILL to pid 4711"
    assert_equal "gone", "process 4711 is still alive"
  end
  def test_skipped; skip "not today"; end
  def test_breaks; raise IOError, "no server"; end
end
describe "a group" do
  it("is <gone> & done") { _(1).must_equal 1 }
end
""",
}


def minitest() -> Made:
    """minitest with the JUnit and the spec reporter of minitest-reporters."""
    folder = project(MINITEST)
    made = Made("minitest", version("dpkg-query", "-W", "ruby-minitest-reporters"), "ruby test/child_test.rb --seed 1")
    log = run(folder, "ruby", "test/child_test.rb", "--seed", "1")
    for path in sorted((folder / "reports").glob("TEST-*.xml")):
        made.keep_file(f"minitest/{path.name}", path)
    made.counts(log, r"^\d+ tests, \d+ assertions")
    return made


PHPUNIT = {
    "tests/ChildTest.php": """
<?php
use PHPUnit\\Framework\\TestCase;

final class ChildTest extends TestCase
{
    public function testPasses(): void { $this->assertTrue(true); }
    public function testChildIsGone(): void
    {
        echo "sent SIGKILL to pid 4711\\n";
        $this->fail("process 4711 is still alive");
    }
    public function testSkipped(): void { $this->markTestSkipped("not today"); }
    public function testBreaks(): void { throw new RuntimeException("no server"); }
    /** @dataProvider numbers */
    public function testNumbers(int $number): void { $this->assertGreaterThan(0, $number); }
    public static function numbers(): array { return ["one" => [1], "two" => [2]]; }
}
""",
}


def phpunit() -> Made:
    """PHPUnit with --log-junit and --testdox."""
    folder = project(PHPUNIT)
    made = Made("phpunit", version("phpunit", "--version"), "phpunit --testdox --log-junit junit.xml tests")
    log = run(folder, "phpunit", "--colors=never", "--testdox", "--log-junit", "junit.xml", "tests")
    made.keep("phpunit/testdox.log", log)
    made.keep_file("phpunit/junit.xml", folder / "junit.xml")
    made.counts(log, r"^Tests: \d+")
    return made


MAKERS = {"bats": bats, "perl": perl, "rspec": rspec, "minitest": minitest, "phpunit": phpunit}
