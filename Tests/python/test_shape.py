"""Tests what Tests/checks/shape reports, and what it does not."""

import pathlib
import subprocess
import sys

import pytest

SHAPE = pathlib.Path(__file__).parents[1] / "checks" / "shape"


@pytest.fixture
def offenders(tmp_path):
    """Returns the check's report on a repository with these files."""
    def check(files):
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        for name, text in files.items():
            path = tmp_path / "Sources" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, SHAPE, tmp_path], capture_output=True, text=True)
        assert done.stderr == ""
        assert done.returncode == (1 if done.stdout else 0)
        return done.stdout.splitlines()

    return check


def function(head, lines):
    """Returns a declaration of `lines` lines."""
    return "\n".join([head + " {", *["  step()"] * (lines - 2), "}"]) + "\n"


@pytest.mark.parametrize("lines, count", [(400, 0), (401, 1)])
def test_long_files(offenders, lines, count):
    found = offenders({"A/A.swift": "// x\n" * lines, "A/Generated/B.swift": "// x\n" * 1_000})
    assert len(found) == count
    assert all("A/A.swift: 401 lines" in line for line in found)


@pytest.mark.parametrize("head", [
    "func work()", "init(x: () -> Void = { })", "deinit", "var text: String", "subscript(i: Int) -> Int",
    "static func f<T>(_ t: T) async throws(UserError) -> [T] where T: Sendable"])
def test_long_functions(offenders, head):
    assert offenders({"A/A.swift": function(head, 60)}) == []
    [line] = offenders({"A/A.swift": function(head, 61)})
    assert "A/A.swift:1:" in line and "has 61 lines" in line


def test_braces_of_texts_and_comments_do_not_count(offenders):
    text = '''func short() {
  let a = "{ \\(words.map { "}" }) {", b = #"{" \\#(a) "#
  /* { /* { */ */ // {
  let c = """
    { { {
    """
}
'''
    assert offenders({"A/A.swift": text + "let x = 1\n" * 100}) == []


def test_a_requirement_of_a_protocol_has_no_body(offenders):
    text = "protocol P {\n  func a() async\n  var x: Int { get }\n}\n" + "struct S {\n" + "  let x = 1\n" * 70 + "}\n"
    assert offenders({"A/A.swift": text}) == []


def ring(count):
    """Returns files each of which names the next one's type."""
    return {
        f"A/T{number}.swift": f"struct T{number} {{ var next: [T{(number + 1) % count}] }}\n" for number in range(count)}


def test_circles_of_files(offenders):
    assert offenders(ring(3)) == []
    [line] = offenders(ring(4))
    assert "Sources/A: 4 files" in line and "T0.swift, T1.swift, T2.swift, T3.swift" in line


def test_what_makes_no_circle(offenders):
    """The names are in a comment, a text, a member, a generic parameter, a nested type, and an extension of the type.
    """
    files = ring(4)
    for number, text in enumerate([
        "// T1\nstruct T0 { let s = \"T1\" }", "struct T1<T2> { let x: T2 }", "struct T2 { enum T3 {}; let x: T3 }",
        "struct T3 { let x = Other.T0() }\nextension T0 { func f() {} }"]):
        files[f"A/T{number}.swift"] = text + "\n"
    assert offenders(files) == []


def test_types_in_extensions_belong_to_their_file(offenders):
    files = ring(4)
    files["A/T3.swift"] = "extension Space { struct T3 { var next: T0? } }\n"
    files["A/T2.swift"] = "struct T2 { var next: Space.T3? }\n"
    [line] = offenders(files)
    assert "4 files" in line


def test_unused_dependencies(offenders, tmp_path):
    (tmp_path / "Package.swift").write_text("""// swift-tools-version: 6.2
import PackageDescription
let package = Package(
  name: "p",
  targets: [
    .target(name: "A"), .target(name: "B"), .executableTarget(name: "program"),
    .target(name: "C", dependencies: ["A", "B", "program"]),
  ]
)
""")
    found = offenders({
        "A/A.swift": "", "B/B.swift": "", "program/P.swift": "",
        "C/C.swift": "// import A\npublic import struct B.B\n",
    })
    assert found == ["Package.swift: no file of C imports A"]
