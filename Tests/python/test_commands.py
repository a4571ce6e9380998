"""Tests the commands that reach a running service, as a user types them and as a script calls them."""

import concurrent.futures
import json
import re
import subprocess

import grpc
import pytest

from commands import Commands, users
from program import PROGRAM

PASSWORD = "correct horse"


def test_a_user_is_created_shown_changed_and_listed(commands):
    created = json.loads(commands("users", "create", "--email", "ada@example.com", "--name", "Ada", "--output", "json"))
    assert created["email"] == "ada@example.com" and created["status"] == "active"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created["created_at"])
    assert json.loads(commands("users", "get", created["id"], "--output", "json")) == created
    table = commands("users", "update", created["id"], "--name", "", "--status", "inactive")
    header, row = table.splitlines()
    assert header.split() == ["ID", "EMAIL", "NAME", "STATUS", "CREATED"]
    assert row.split()[:3] == [created["id"], "ada@example.com", "inactive"]
    assert "\x1b" not in table
    listed, = users(commands("users", "list", "--output", "csv"))
    assert {**listed, "updated_at": "", "etag": ""} == {
        **created, "name": "", "status": "inactive", "updated_at": "", "deleted_at": "", "purge_at": "", "labels": "",
        "etag": ""}
    assert listed["updated_at"] > created["updated_at"] and listed["etag"] != created["etag"]


def test_lists_have_a_header_also_of_nobody_and_end_at_their_limit(commands, tmp_path):
    assert commands("users", "list").split() == ["ID", "EMAIL", "NAME", "STATUS", "CREATED"]
    assert commands("users", "list", "--output", "csv") == (
        "id,email,name,status,created_at,updated_at,deleted_at,purge_at,labels,etag\n")
    assert commands("users", "list", "--output", "json") == ""
    rows = "".join(json.dumps({"email": f"user{number}@example.com"}) + "\n" for number in range(25))
    commands("users", "import", "-", "--format", "jsonl", input=rows)
    for limit in (0, 1, 10, 25, 26):
        listed = users(commands("users", "list", "--output", "csv", "--limit", str(limit), "--page-size", "10"))
        assert [user["email"] for user in listed] == [f"user{number}@example.com" for number in range(min(limit, 25))]


def test_a_reader_that_has_seen_enough_is_no_failure(commands):
    rows = "".join(f"user{number}@example.com\n" for number in range(5_000))
    commands("users", "import", "-", "--format", "csv", input="email\n" + rows)
    done = subprocess.run(
        f"'{PROGRAM}' users list --page-size 100 | head -3", shell=True, capture_output=True, text=True,
        env=commands.environment, timeout=60)
    assert len(done.stdout.splitlines()) == 3 and done.stderr == ""


def test_exit_codes_tell_what_went_wrong(commands, serve):
    commands("users", "create", "--email", "ada@example.com")
    for code, arguments in [
            (3, ["get", "nobody"]), (3, ["update", "nobody", "--name", "x"]),
            (4, ["create", "--email", "nobody"]), (4, ["create", "--email", "ADA@example.com"]), (4, ["get", ""]),
            (2, ["get"]), (2, ["create"]), (2, ["update", "x"]), (2, ["list", "--output", "xml"]),
            (2, ["list", "--page-size", "0"]), (2, ["list", "--limit", "-1"]), (2, ["get", "x", "--address", "a:b"]),
            (2, ["get", "x", "--tls-cert", "c.pem"]), (2, ["import", "users.txt"]), (2, ["import", "-"]),
            (2, ["import", "-", "--format", "csv", "--rejected", "/dev/null"]), (2, ["get", "x", "--timeout", "0s"]),
            (2, ["update", "x", "--remove-password", "--ask-password"]), (2, ["nothing"]),
            (1, ["import", "/nonexistent.csv"]), (1, ["get", "x", "--token-file", "/nonexistent"]),
            (1, ["get", "x", "--tls-ca", "/nonexistent"]),
            (1, ["get", "x", "--address", "unix:/nonexistent", "--timeout", "300ms"])]:
        error = commands("users", *arguments, code=code)
        assert error.startswith("Error: "), error
        if code != 2:
            assert len(error.splitlines()) == 1, error
    assert "refused" in commands("users", "get", "x", "--address", "127.0.0.1:1", "--timeout", "300ms", code=1)


def test_a_terminal_has_colours_unless_they_are_not_wanted(commands):
    commands("users", "create", "--email", "ada@example.com")
    assert "\x1b[1mID" in commands.terminal("users", "list")[1]
    assert "\x1b" not in commands.terminal("users", "list", environment={"NO_COLOR": "1"})[1]


@pytest.mark.parametrize("names", ["DNS:localhost", "DNS:elsewhere,IP:127.0.0.1"])
def test_tls_is_used_when_it_is_asked_for_and_the_name_is_compared(serve, tmp_path, names):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-subj", "/CN=users",
         "-addext", f"subjectAltName={names}"], check=True, capture_output=True)
    service = serve("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    commands = Commands(tmp_path / "home", service.address)

    def fails(*arguments):
        commands("users", "list", "--timeout", "500ms", *arguments, code=1)

    trust = ["--tls-ca", str(tmp_path / "cert.pem")]
    patient = ["users", "list", "--timeout", "20s", *trust]
    commands(*patient, "--tls-server-name", names.split(",")[0].removeprefix("DNS:"))
    fails("--tls")
    fails()
    if "IP" in names:
        commands(*patient)
    else:
        fails(*trust)
        fails(*trust, "--tls-server-name", "elsewhere")
        commands(*patient, "--address", "localhost:" + service.address.rsplit(":", 1)[1])


def answering(handler):
    """Starts a service whose GetUser is `handler`. Yields its address."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "user.v1.UserService", {"GetUser": grpc.unary_unary_rpc_method_handler(handler)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


@pytest.mark.parametrize("handler, words", [
    (lambda request, context: b"\xff\xff", "the service sent a message that cannot be decoded"),
    (lambda request, context: b"\x0a\x02\xc3\x28", "the service sent a message that cannot be decoded"),
    (lambda request, context: context.abort(grpc.StatusCode.UNAVAILABLE, ""), "the service is not available"),
    (lambda request, context: context.abort(grpc.StatusCode.DATA_LOSS, ""), "the call failed with dataLoss"),
])
def test_what_another_service_answers_is_told_in_words(tmp_path, handler, words):
    server, address = answering(handler)
    try:
        commands = Commands(tmp_path / "home", address)
        assert commands("users", "get", "7", "--timeout", "30s", code=1) == f"Error: {words}\n"
    finally:
        server.stop(None)


def test_a_domain_that_is_not_one_is_told_and_its_spellings_are_one(commands):
    for address, words in [("ada@a\u3002com", "U+3002"), ("ada@a\u2044b.com", "U+2044"), ("ada@\U0001F4A9.la", "U+1F4A9"),
                           ("ada@xn--ls8h.la", "A-label"), ("ada@a..com", "empty label")]:
        assert words in commands("users", "create", "--email", address, code=4)
    commands("users", "create", "--email", "ada@bücher.example")
    for address in ("ADA@xn--bcher-kva.example", "ada@BU\u0308CHER.example"):
        assert "already registered" in commands("users", "create", "--email", address, code=4)
    commands("users", "create", "--email", "ada@straße.de")
    commands("users", "create", "--email", "ada@strasse.de")
