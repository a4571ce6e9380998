"""The commands that reach a running service, as a person types them and as a script calls them."""

import concurrent.futures
import csv
import io
import json
import os
import pathlib
import pty
import re
import select
import stat
import subprocess
import termios
import time
import unicodedata

import grpc
import pytest

from conftest import PROGRAM, lengthen_waits

PASSWORD = "correct horse"


class Commands:
    """Calls the program with a home of its own."""

    def __init__(self, home, address):
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("USER_SERVICE_")},
            "XDG_CONFIG_HOME": str(home), "USER_SERVICE_ADDRESS": address}

    def run(self, *arguments, input="", environment=None, directory=None):
        return subprocess.run(
            [PROGRAM, *arguments], input=input, capture_output=True, text=True, timeout=300,
            env={**self.environment, **(environment or {})}, cwd=directory)

    def __call__(self, *arguments, code=0, **keywords):
        """What it prints; it must exit with `code`."""
        done = self.run(*arguments, **keywords)
        assert done.returncode == code, done
        return done.stdout if code == 0 else done.stderr

    def terminal(self, *arguments, answers=(), environment=None):
        """Runs it at a terminal: answers its questions, and returns its exit code, what the terminal showed, and how the
        terminal was left."""
        parent, child = pty.openpty()
        before = termios.tcgetattr(child)
        process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=child, stdout=child, stderr=child, start_new_session=True,
            env={**self.environment, "COLUMNS": "80", **(environment or {})})
        shown, answers = b"", list(answers)
        end = time.monotonic() + 120
        while True:
            assert time.monotonic() < end, (process.kill(), shown)
            ready, _, _ = select.select([parent], [], [], 0.1)
            if ready:
                shown += os.read(parent, 65_536)
            elif process.poll() is not None:
                break
            if answers and answers[0][0].encode() in shown.rsplit(b"\n", 1)[-1]:
                os.write(parent, answers.pop(0)[1].encode())
                shown += b"\n"
        assert not answers, shown
        assert termios.tcgetattr(child) == before
        os.close(parent)
        os.close(child)
        return process.returncode, shown.decode()


@pytest.fixture
def commands(service, tmp_path):
    return Commands(tmp_path / "home", service.address)


@pytest.fixture
def secured(serve, tmp_path):
    """A service with authentication, commands for it, and a token that may do everything in a file."""
    service = serve(auth="on")
    commands = Commands(tmp_path / "home", service.address)
    commands.database = service.database
    commands.token = commands(
        "token", "issue", "--database", service.database, "--subject", "test", "--scope", "users:read,users:write")
    commands.token_file = tmp_path / "token"
    commands.token_file.write_text(commands.token)
    return commands


def users(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


# Users, one at a time

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
    assert users(commands("users", "list", "--output", "csv")) == [{**created, "name": "", "status": "inactive"}]


def test_lists_have_a_header_also_of_nobody_and_end_at_their_limit(commands, tmp_path):
    assert commands("users", "list").split() == ["ID", "EMAIL", "NAME", "STATUS", "CREATED"]
    assert commands("users", "list", "--output", "csv") == "id,email,name,status,created_at\n"
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
            (2, ["import", "a.csv", "--rejected", "/dev/null"]), (2, ["get", "x", "--timeout", "0s"]),
            (2, ["update", "x", "--remove-password", "--ask-password"]), (2, ["nothing"]),
            (1, ["import", "/nonexistent.csv"]), (1, ["get", "x", "--token-file", "/nonexistent"]),
            (1, ["get", "x", "--tls-ca", "/nonexistent"]),
            (1, ["get", "x", "--address", "unix:/nonexistent", "--timeout", "300ms"])]:
        error = commands("users", *arguments, code=code)
        assert error.startswith("Error: "), error
        if code != 2:
            assert len(error.splitlines()) == 1, error
    assert "refused" in commands("users", "get", "x", "--address", "127.0.0.1:1", "--timeout", "300ms", code=1)


def test_passwords_come_from_a_file_or_standard_input_and_from_nowhere_else(secured, tmp_path):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    secured("users", "create", "--email", "ada@example.com", "--password-file", str(file))
    secured("users", "create", "--email", "bob@example.com", "--password-file", "-", input=PASSWORD)
    secured("sign-in", "--email", "bob@example.com", "--password-file", str(file))
    id = users(secured("users", "list", "--output", "csv", "--token-file", str(secured.token_file)))[0]["id"]
    secured("users", "update", id, "--password-file", "-", "--token-file", str(secured.token_file), input="new horse\r\n")
    secured("sign-in", "--email", "ada@example.com", "--password-file", "-", input="new horse", code=0)
    assert "wrong e-mail or password" in secured(
        "sign-in", "--email", "ada@example.com", "--password-file", str(file), code=4)
    secured("users", "create", "--email", "eve@example.com", "--password", PASSWORD, code=2)
    secured("sign-in", "--email", "ada@example.com", "--password", PASSWORD, code=2)
    for bad in ("", "two\nlines", "x" * 70_000):
        assert "Error: " in secured("sign-in", "--email", "a@b.example", "--password-file", "-", input=bad, code=1)
    assert "terminal" in secured("sign-in", "--email", "ada@example.com", code=2)


# At a terminal

def test_a_terminal_is_asked_for_passwords_and_does_not_show_them(secured):
    code, shown = secured.terminal(
        "users", "create", "--email", "ada@example.com", "--ask-password",
        answers=[("New password: ", "wrong\x15corrext\x7f\x7fct hörse\x7f\x7f\x7f\x7forse\r"),
                 ("The same again: ", PASSWORD + "\r")])
    assert code == 0, shown
    assert "horse" not in shown and "ada@example.com" in shown
    code, shown = secured.terminal(
        "sign-in", "--email", "ada@example.com", answers=[("Password of ada@example.com: ", PASSWORD + "\n")])
    assert code == 0 and "signed in to" in shown and "horse" not in shown
    code, shown = secured.terminal(
        "users", "create", "--email", "bob@example.com", "--ask-password",
        answers=[("New password: ", "one\r"), ("The same again: ", "another\r")])
    assert code == 1 and "nothing was changed" in shown
    code, shown = secured.terminal(
        "sign-in", "--email", "ada@example.com", answers=[("Password of ada@example.com: ", "abc\x03")])
    assert code == 130


def test_a_terminal_has_colours_unless_they_are_not_wanted(commands):
    commands("users", "create", "--email", "ada@example.com")
    assert "\x1b[1mID" in commands.terminal("users", "list")[1]
    assert "\x1b" not in commands.terminal("users", "list", environment={"NO_COLOR": "1"})[1]


def test_an_import_shows_its_progress_at_a_terminal_and_nowhere_else(commands, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text("email\n" + "".join(f"user{number}@example.com\n" for number in range(25_000)))
    code, shown = commands.terminal("users", "import", str(file))
    assert code == 0, shown
    assert re.search(r" \d+ % [█░]+  10,000 users, [\d,]+ a second, \d+ s left", shown)
    assert shown.endswith("25,000 created, 0 registered already, 0 rejected\r\n")
    done = commands.run("users", "import", str(file))
    assert (done.stdout, done.stderr) == ("0 created, 25,000 registered already, 0 rejected\n", "")
    assert "%" not in commands.terminal("users", "import", "--quiet", str(file))[1]


# Who calls

def test_a_sign_in_lasts_for_the_commands_to_come_until_a_sign_out(secured, tmp_path):
    assert "not signed in" in secured("users", "get", "x", code=4)
    id = json.loads(secured("users", "create", "--email", "ada@example.com", "--password-file", "-", "--output", "json",
                            input=PASSWORD))["id"]
    secured("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    assert id in secured("users", "get", id)
    assert "users:read" in secured("users", "list", code=4)
    # A token that is named goes before the sign-in, a file before the environment.
    assert id in secured("users", "list", environment={"USER_SERVICE_TOKEN": secured.token.strip()})
    secured("users", "list", environment={"USER_SERVICE_TOKEN": "nonsense"}, code=4)
    assert id in secured("users", "list", "--token-file", str(secured.token_file),
                         environment={"USER_SERVICE_TOKEN": "nonsense"})
    [file] = (secured.home / "user-service" / "sessions").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    # With TLS it is another service: its tokens are not sent in the clear, nor these to it.
    secured("users", "get", id, "--tls", "--timeout", "300ms", code=1)
    # Another service's sign-in is nobody's business.
    address = secured.environment["USER_SERVICE_ADDRESS"]
    assert "not signed in" in secured("users", "get", id, "--address", address.replace("127.0.0.1", "localhost"), code=4)
    kept = file.read_text()
    assert "signed out" in secured("sign-out")
    assert not file.exists()
    assert "not signed in" in secured("sign-out")
    file.write_text(kept)
    assert "revoked" in secured("users", "get", id, code=4)
    file.write_text("{")
    assert "sign in again" in secured("users", "get", id, code=1)


def test_users_change_their_own_password_with_the_current_one(secured, tmp_path):
    id = json.loads(secured("users", "create", "--email", "ada@example.com", "--password-file", "-", "--output", "json",
                            input=PASSWORD))["id"]
    current, new = tmp_path / "current", tmp_path / "new"
    current.write_text(PASSWORD)
    new.write_text("another horse")
    secured("sign-in", "--email", "ada@example.com", "--password-file", str(current))
    change = ["users", "update", id, "--password-file", str(new)]
    assert "needs the current password" in secured(*change, code=4)
    assert "current password is wrong" in secured(*change, "--current-password-file", "-", input="wrong horse", code=4)
    for wrong in (["--current-password-file", "-", "--ask-current-password"],):
        secured(*change, *wrong, code=2)
    secured("users", "update", id, "--password-file", "-", "--current-password-file", "-", code=2)
    secured(*change, "--current-password-file", "-", input=PASSWORD)
    secured("sign-in", "--email", "ada@example.com", "--password-file", str(new))
    code, shown = secured.terminal(
        "users", "update", id, "--email", "lovelace@example.com", "--ask-current-password",
        answers=[("Current password: ", "another horse\r")])
    assert code == 0 and "lovelace@example.com" in shown and "horse" not in shown


def test_a_sign_in_again_shows_that_the_device_is_known(secured, tmp_path):
    secured("users", "create", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    signing_in = ["sign-in", "--email", "ada@example.com", "--password-file", "-"]
    stranger = {"XDG_CONFIG_HOME": str(tmp_path / "stranger")}
    secured(*signing_in, input=PASSWORD)
    [file] = (secured.home / "user-service" / "sessions").iterdir()
    file.write_text("{")
    secured(*signing_in, input=PASSWORD)
    for _ in range(5):
        secured(*signing_in, input="wrong horse", environment=stranger, code=4)
    lengthen_waits(secured.database)
    assert "try again in" in secured(*signing_in, input=PASSWORD, environment=stranger, code=4)
    secured(*signing_in, input=PASSWORD)


def test_a_sign_in_is_refreshed_and_the_new_tokens_are_kept(serve, tmp_path):
    service = serve(auth="on", settings={"auth.access.lifetime": "1s"})
    commands = Commands(tmp_path / "home", service.address)
    id = json.loads(commands("users", "create", "--email", "ada@example.com", "--password-file", "-", "--output", "json",
                             input=PASSWORD))["id"]
    commands("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    [file] = (commands.home / "user-service" / "sessions").iterdir()
    seen = {file.read_text()}
    for _ in range(3):
        assert id in commands("users", "get", id)
        seen.add(file.read_text())
    assert len(seen) == 4


@pytest.fixture
def stale(serve, tmp_path):
    """Commands of somebody who has signed in to a service that has another database now, at the same address: it knows
    neither the user nor the key."""
    first = serve(auth="on", settings={"auth.access.lifetime": "1s"})
    commands = Commands(tmp_path / "home", first.address)
    commands("users", "create", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    commands("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    assert first.stop() == (0, "")
    serve(auth="on", listen=[first.address])
    return commands


def test_a_sign_in_that_has_ended_is_told_and_forgotten(stale):
    address = stale.environment["USER_SERVICE_ADDRESS"]
    assert f"The last sign-in at {address} has ended; sign in again." in stale("users", "list", code=4)
    assert "Sign in with" in stale("users", "list", code=4)
    assert not list(stale.home.rglob("*.json"))


def test_whoever_was_signed_in_may_create_a_user_as_anybody_may(stale):
    assert "bob@example.com" in stale("users", "create", "--email", "bob@example.com")


def test_sign_ins_are_kept_in_the_home_of_the_environment(secured, tmp_path):
    home = tmp_path / "another"
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": ""}
    secured("users", "create", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    secured("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD, environment=environment)
    assert len(list((home / ".config" / "user-service").rglob("*.json"))) == 1


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


def test_the_program_of_the_client_library_s_documentation_does_what_it_says(secured):
    done = subprocess.run(
        [pathlib.Path(PROGRAM).parent / "client-example"], capture_output=True, text=True, timeout=60,
        env={**secured.environment, "USER_SERVICE_TOKEN": secured.token.strip()})
    assert (done.stderr, done.stdout.splitlines()) == ("", [
        "created ada@example.com", "wrong e-mail or password", "created 1",
        "row 1: email must have the form local-part@domain", "ada@example.com is Ada", "bob@example.com is Bob",
        "and now Robert"])


# Imports

def test_a_hundred_thousand_users_come_back_as_they_went_in_and_a_second_time_changes_nothing(commands, tmp_path):
    file = tmp_path / "users.csv"
    with open(file, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["name", "email"])
        for number in range(100_000):
            writer.writerow([f'User "{number}", é 👩‍👩‍👧', f"user{number}@example.com"])
    assert commands("users", "import", str(file)) == "100,000 created, 0 registered already, 0 rejected\n"
    listed = commands("users", "list", "--output", "csv")
    with open(file, newline="") as sent:
        assert [(user["name"], user["email"]) for user in users(listed)] == [
            (user["name"], user["email"]) for user in csv.DictReader(sent)]
    assert commands("users", "import", str(file)) == "0 created, 100,000 registered already, 0 rejected\n"
    assert commands("users", "list", "--output", "csv") == listed


def test_a_listing_is_a_file_that_can_be_imported_elsewhere(commands, serve, tmp_path):
    commands("users", "import", "-", "--format", "csv", input="email,name\na@example.com,A\nb@example.com,\"B, b\"\n")
    other = Commands(tmp_path / "other", serve().address)
    for form, name in (("csv", "csv"), ("json", "jsonl")):
        other("users", "import", "-", "--format", name, input=commands("users", "list", "--output", form))
    assert [(user["email"], user["name"]) for user in users(other("users", "list", "--output", "csv"))] == [
        ("a@example.com", "A"), ("b@example.com", "B, b")]


def test_rejected_rows_can_be_corrected_and_imported(commands, tmp_path):
    file, rejected = tmp_path / "users.csv", tmp_path / "users.rejected.csv"
    file.write_text("email,name,password\na@example.com,A,correct horse\nbad,B,\nc@example.com,C,short\nd@example.com\n")
    done = commands.run("users", "import", str(file))
    assert (done.returncode, done.stdout) == (1, "1 created, 0 registered already, 3 rejected\n")
    assert str(rejected) in done.stderr
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600
    rows = users(rejected.read_text())
    assert sorted((row["line"], row["email"], row["password"]) for row in rows) == [
        ("3", "bad", ""), ("4", "c@example.com", "short"), ("5", "d@example.com", None)]
    assert all(row["reason"] for row in rows)
    corrected = rejected.read_text().replace(",bad,", ",b@example.com,").replace("short", "long enough")
    rejected.write_text(corrected.replace("d@example.com", "d@example.com,D,"))
    assert commands("users", "import", str(rejected)) == "3 created, 0 registered already, 0 rejected\n"
    assert {user["name"] for user in users(commands("users", "list", "--output", "csv"))} == {"A", "B", "C", "D"}


def test_every_rejected_row_of_a_long_file_has_its_reason_and_no_file_is_written_over(commands, tmp_path):
    file, rejected = tmp_path / "users.csv", tmp_path / "users.rejected.csv"
    rows = [f"user{number}@example.com" if number % 50 else f"bad{number}" for number in range(15_000)]
    file.write_text("email\n" + "\n".join(rows) + "\n")
    for number in range(2):
        done = commands.run("users", "import", str(file))
        assert (done.returncode, done.stdout) == (1, [
            "14,700 created, 0 registered already, 300 rejected\n",
            "0 created, 14,700 registered already, 300 rejected\n"][number])
        written = rejected if number == 0 else tmp_path / "users.rejected-2.csv"
        assert {row["reason"] for row in users(written.read_text())} == {"email must have the form local-part@domain"}
        rejected.write_text("kept")
    assert rejected.read_text() == "kept"


def test_rejected_lines_of_json_keep_what_they_said(commands, tmp_path):
    file, rejected = tmp_path / "users.jsonl", tmp_path / "why.jsonl"
    file.write_text('{"email": "a@example.com"}\n{"email": "bad", "name":1e0}\nnonsense\n{"email":"b"}\n')
    commands("users", "import", str(file), "--rejected", str(rejected), code=1)
    notes = rejected.read_text().splitlines()[::2]
    assert [json.loads(note) for note in notes] == [
        {"line": "2", "reason": "name is no string"}, {"line": "3", "reason": "not a JSON object"},
        {"line": "4", "reason": "email must have the form local-part@domain"}]
    assert rejected.read_text().splitlines()[1::2] == ['{"email": "bad", "name":1e0}', "nonsense", '{"email":"b"}']
    again = commands.run("users", "import", str(rejected))
    assert again.stdout == "0 created, 0 registered already, 3 rejected\n"
    rejected.write_text(rejected.read_text().replace('"b"', '"b@example.com"').replace("nonsense", ""))
    assert commands.run("users", "import", str(rejected)).stdout == "1 created, 0 registered already, 1 rejected\n"


BROKEN = {
    "csv": b"email,name\na@example.com,A\r\nj@example.com,J\xfcrgen\n\"b\"@example.com,B\nc\n",
    "jsonl": b'{"email":"a@example.com"}\n{"email":"j@example.com","name":"J\xfcrgen"}\n{"email":"b"@example.com}\nc\n',
}


@pytest.mark.parametrize("form", BROKEN)
def test_a_rejected_row_is_kept_byte_for_byte_and_rejected_again(commands, tmp_path, form):
    file, rejected = tmp_path / f"users.{form}", tmp_path / "why"
    file.write_bytes(BROKEN[form])
    assert commands.run("users", "import", str(file), "--rejected", str(rejected)).stdout == (
        "1 created, 0 registered already, 3 rejected\n")
    written = rejected.read_bytes()
    for line in BROKEN[form].splitlines()[-3:]:
        assert line + b"\n" in written
    assert b"the byte FC is not UTF-8: save the file as UTF-8" in written
    again = tmp_path / "again"
    assert commands.run("users", "import", str(rejected), "--format", form, "--rejected", str(again)).stdout == (
        "0 created, 0 registered already, 3 rejected\n")
    assert len(users(commands("users", "list", "--output", "csv"))) == 1
    # The places are those of the first rejected file, the rest is as it was.
    strip = lambda text: re.sub(rb'(?m)^(\{"line":")?\d+', b"", text)
    assert again.read_bytes().count(b"\n") == written.count(b"\n")
    for line in BROKEN[form].splitlines()[-3:]:
        assert line + b"\n" in strip(again.read_bytes())


@pytest.mark.parametrize("form, text", [("csv", "email\na@example.com\n"), ("jsonl", '{"email":"a@example.com"}\n')])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_in_utf_16_is_named_as_that(commands, tmp_path, form, text, encoding):
    file = tmp_path / f"users.{form}"
    file.write_bytes(text.encode(encoding))
    assert "line 1: the file is UTF-16 or UTF-32; save it as UTF-8" in commands("users", "import", str(file), code=1)
    assert users(commands("users", "list", "--output", "csv")) == []
    file.write_bytes(text.encode("utf-8-sig"))
    commands("users", "import", str(file))


def test_rows_of_users_who_are_registered_already_are_listed_on_request(commands, tmp_path):
    file, already = tmp_path / "users.csv", tmp_path / "already.csv"
    commands("users", "create", "--email", "a@example.com")
    file.write_text("email,name\nA@example.com,A\nb@example.com,B\nbad,C\na@EXAMPLE.com,D\n")
    done = commands.run("users", "import", str(file), "--already", str(already))
    assert done.stdout == "1 created, 2 registered already, 1 rejected\n"
    assert str(already) in done.stderr
    assert already.read_text() == (
        "line,reason,email,name\n2,the address is already registered,A@example.com,A\n"
        "5,the address is already registered,a@EXAMPLE.com,D\n")
    assert stat.S_IMODE(already.stat().st_mode) == 0o600
    assert "new file" in commands("users", "import", str(file), "--already", str(already), code=2)
    assert "two files" in commands("users", "import", str(file), "--already", "x", "--rejected", "x", code=2)


@pytest.mark.parametrize("option", ["--rejected", "--already"])
def test_no_row_is_sent_when_there_is_no_place_for_those_that_are_not_stored(commands, tmp_path, option):
    file = tmp_path / "users.csv"
    file.write_text("email\na@example.com\nbad\n")
    error = commands("users", "import", str(file), option, str(tmp_path / "missing" / "rows.csv"), code=1)
    assert error == f"Error: {tmp_path / 'missing' / 'rows.csv'} cannot be made: No such file or directory\n"
    assert users(commands("users", "list", "--output", "csv")) == []
    # What was tried leaves nothing behind.
    file.write_text("email\na@example.com\n")
    commands("users", "import", str(file), option, str(tmp_path / "rows.csv"))
    assert not (tmp_path / "rows.csv").exists()


def test_a_listing_for_spreadsheets_has_no_formulas_and_a_raw_one_can_be_imported(commands, serve, tmp_path):
    rows = [{"email": f"=user{number}@example.com", "name": name}
            for number, name in enumerate(["=1+1", "+1", "-1", "@a", "'=1", "plain", '=HYPERLINK("x";"y")'])]
    commands("users", "import", "-", "--format", "jsonl", input="".join(json.dumps(row) + "\n" for row in rows))
    for user in users(commands("users", "list", "--output", "csv")):
        assert user["email"][:2] == "'=" and user["name"][:1] not in "=+-@"
    raw = commands("users", "list", "--output", "csv", "--raw")
    assert [user["name"] for user in users(raw)] == [row["name"] for row in rows]
    commands("users", "list", "--raw", code=2)
    other = Commands(tmp_path / "other", serve().address)
    done = other.run("users", "import", "-", "--format", "csv", input=commands("users", "list", "--output", "csv"),
                     directory=tmp_path)
    assert done.stdout == "0 created, 0 registered already, 7 rejected\n"
    # A name that begins with a quote for spreadsheets of its own cannot be told from one of ours.
    done = other.run("users", "import", "-", "--format", "csv", input=raw, directory=tmp_path)
    assert done.stdout == "6 created, 0 registered already, 1 rejected\n"


# Secrets in files

def test_a_byte_order_mark_is_not_part_of_a_password_or_a_token(secured, tmp_path):
    file = tmp_path / "password"
    file.write_bytes(b"\xef\xbb\xbf" + PASSWORD.encode() + b"\r\n")
    secured("users", "create", "--email", "ada@example.com", "--password-file", str(file))
    secured("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    secured.token_file.write_bytes(b"\xef\xbb\xbf" + secured.token.strip().encode() + b"\n")
    assert "ada@example.com" in secured("users", "list", "--token-file", str(secured.token_file))


@pytest.mark.parametrize("content, words", [
    (b"correct\0horse", "a NUL"), (b"correct\thorse", "control character, U+0009"), (b"\x1b[Acorrect horse", "U+001B"),
    ("correct\x85horse".encode(), "one line"), (b"correct h\xf6rse", "not UTF-8"),
    (PASSWORD.encode("utf-16"), "UTF-16"), (PASSWORD.encode("utf-16-le"), "UTF-16"), (b"", "empty"), (b"\n", "empty"),
    (b"\xef\xbb\xbf\n", "empty"), (b"two\nlines", "one line"), (b"x" * 70_000, "more than 65536 bytes")])
def test_a_file_that_is_not_one_line_of_text_is_not_a_password_nor_a_token(commands, tmp_path, content, words):
    file = tmp_path / "secret"
    file.write_bytes(content)
    for option in ("--password-file", "--token-file"):
        error = commands("users", "create", "--email", "ada@example.com", option, str(file), code=1)
        assert error.startswith(f"Error: {file} ") and words in error and "correct" not in error, error
    assert users(commands("users", "list", "--output", "csv")) == []


def test_a_token_that_cannot_be_sent_says_what_is_wrong_with_it(secured):
    for token, words in [("a\nb", "a line break"), ("a b", "a space"), ("\ufeffa", "a byte order mark")]:
        assert secured("users", "list", environment={"USER_SERVICE_TOKEN": token}, code=4) == (
            f"Error: the token has {words}\n")


def test_a_key_that_gives_no_letter_does_not_become_part_of_a_password(secured):
    for keys in (b"\x1b[Acorrect horse\r".decode(), "correct\x00horse\r"):
        code, shown = secured.terminal(
            "users", "create", "--email", "ada@example.com", "--ask-password", answers=[("New password: ", keys)])
        assert code == 1 and "gives no letter" in shown


# What a service answers that is not ours

def answering(handler):
    """A service whose GetUser is `handler`, and its address."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "user.v1.UserService", {"GetUser": grpc.unary_unary_rpc_method_handler(handler)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


@pytest.mark.parametrize("handler, words", [
    (lambda request, context: b"\xff\xff", "the service has answered with a message that cannot be decoded"),
    (lambda request, context: b"\x0a\x02\xc3\x28", "the service has answered with a message that cannot be decoded"),
    (lambda request, context: context.abort(grpc.StatusCode.UNAVAILABLE, ""), "the service is not available"),
    (lambda request, context: context.abort(grpc.StatusCode.DATA_LOSS, ""), "the call has failed with dataLoss"),
])
def test_what_another_service_answers_is_told_in_words(tmp_path, handler, words):
    server, address = answering(handler)
    try:
        commands = Commands(tmp_path / "home", address)
        assert commands("users", "get", "7", "--timeout", "30s", code=1) == f"Error: {words}\n"
    finally:
        server.stop(None)


# Addresses

def test_addresses_are_one_as_unicode_says_for_every_letter_there_is(commands):
    # Letters without case and composition, such as ideographs, are themselves and too many.
    letters = [chr(code) for code in range(0x80, 0x110000) if unicodedata.category(chr(code))[0] in "LMNPS" and (
        unicodedata.category(chr(code)) != "Lo" or unicodedata.decomposition(chr(code)))]
    normal = lambda text: unicodedata.normalize("NFD", text)
    # Those that the service does not take, as they cannot be seen.
    rows = "".join(json.dumps({"email": f"x{letter}x@example.com"}) + "\n" for letter in letters)
    done = commands.run("users", "import", "-", "--format", "jsonl", input=rows, directory=commands.home.parent)
    rejected = [line for line in (commands.home.parent / "import.rejected.jsonl").read_text().splitlines()
                if "reason" not in line]
    refused = {json.loads(line)["email"][1:-len("x@example.com")] for line in rejected}
    assert all("must not contain" in line for line in (
        commands.home.parent / "import.rejected.jsonl").read_text().splitlines() if "reason" in line)
    kinds = {normal(normal(letter).casefold()) for letter in letters if letter not in refused}
    assert done.stdout.startswith(f"{len(kinds):,} created, "), done.stdout
    # And each is that of its folded form.
    changed = [letter for letter in letters if letter not in refused and normal(letter.casefold()) != normal(letter)]
    rows = "".join(json.dumps({"email": f"X{normal(letter).casefold()}X@example.com"}) + "\n" for letter in changed)
    assert commands("users", "import", "-", "--format", "jsonl", input=rows) == (
        f"0 created, {len(changed):,} registered already, 0 rejected\n")


def test_a_domain_that_is_not_one_is_told_and_its_spellings_are_one(commands):
    for address, words in [("ada@a\u3002com", "U+3002"), ("ada@a\u2044b.com", "U+2044"), ("ada@\U0001F4A9.la", "U+1F4A9"),
                           ("ada@xn--ls8h.la", "A-label"), ("ada@a..com", "empty label")]:
        assert words in commands("users", "create", "--email", address, code=4)
    commands("users", "create", "--email", "ada@bücher.example")
    for address in ("ADA@xn--bcher-kva.example", "ada@BU\u0308CHER.example"):
        assert "already registered" in commands("users", "create", "--email", address, code=4)
    commands("users", "create", "--email", "ada@straße.de")
    commands("users", "create", "--email", "ada@strasse.de")


def test_a_file_that_makes_no_sense_says_where(commands, tmp_path):
    file = tmp_path / "users.csv"
    for text, words in [("", "names of the columns"), ("mail\nx\n", "line 1: the column 'mail'"),
                        ('email\na@example.com\n"b@example.com\n', "line 3: a quote is not closed")]:
        file.write_text(text)
        error = commands("users", "import", str(file), code=1)
        assert words in error and error.startswith("Stopped after ") and "run again" not in error
    # What came before the place that makes no sense.
    assert len(users(commands("users", "list", "--output", "csv"))) == 1


def test_text_of_a_file_does_not_reach_the_terminal_as_commands(commands, tmp_path):
    """The name of a column, and the path of a database, are shown without what a terminal obeys."""
    file = tmp_path / "users.csv"
    file.write_text("email,\x1b[31mcolour\nx,y\n")
    error = commands("users", "import", str(file), code=1)
    assert "\x1b" not in error and "[31mcolour" in error
    error = commands("keys", "list", "--database", str(tmp_path / "x\x1b[1m.db"), code=1)
    assert "\x1b" not in error


def test_an_import_that_breaks_off_says_so_and_goes_on_when_it_is_run_again(serve, tmp_path):
    service = serve()
    commands = Commands(tmp_path / "home", service.address)
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [PROGRAM, "users", "import", "-", "--format", "csv", "--timeout", "1s"], stdin=reader, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=commands.environment)
    os.close(reader)
    rows = ["email\n"] + [f"user{number}@example.com\n" for number in range(25_000)]
    with os.fdopen(writer, "w") as out:
        out.writelines(rows[:15_001])
        out.flush()
        # The first part is stored; then the service is gone, and does not come back.
        while len(users(commands("users", "list", "--output", "csv", "--limit", "10000"))) < 10_000:
            pass
        service.process.kill()
        service.process.wait()
        try:
            out.writelines(rows[15_001:])
        except BrokenPipeError:
            pass
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and output == ""
    assert errors.startswith("Stopped after 10,000 created, 0 registered already, 0 rejected.\n"), errors
    again = Commands(tmp_path / "home", serve(database=service.database).address)
    done = again("users", "import", "-", "--format", "csv", input="".join(rows))
    assert done == "15,000 created, 10,000 registered already, 0 rejected\n"
