"""Tests imports and listings of files of users."""

import contextlib
import csv
import json
import os
import re
import signal
import stat
import subprocess
import unicodedata

import pytest

from commands import Commands, users
from databases import count_users, execute
from program import PROGRAM
from waiting import wait_until

# Each test runs on SQLite and on PostgreSQL.
ENGINES = ["sqlite", "postgres"]


@pytest.mark.engines("sqlite")
def test_an_import_shows_its_progress_at_a_terminal_and_nowhere_else(commands, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text("email\n" + "".join(f"user{number}@example.com\n" for number in range(25_000)))
    code, shown = commands.terminal("users", "import", str(file))
    assert code == 0, shown
    assert re.search(r" \d+ % [█░]+  [\d,]+ users, [\d,]+ a second, \d+ s left", shown)
    assert shown.endswith("25,000 imported, 0 already stored, 0 rejected\r\n")
    done = commands.run("users", "import", str(file))
    assert (done.stdout, done.stderr) == ("0 imported, 25,000 already stored, 0 rejected\n", "")
    assert "%" not in commands.terminal("users", "import", "--quiet", str(file))[1]


@pytest.mark.engines("sqlite")
def test_a_hundred_thousand_users_come_back_as_they_went_in_and_a_second_time_changes_nothing(commands, tmp_path):
    file = tmp_path / "users.csv"
    with open(file, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["name", "email"])
        for number in range(100_000):
            writer.writerow([f'User "{number}", é 👩‍👩‍👧', f"user{number}@example.com"])
    assert commands("users", "import", str(file)) == "100,000 imported, 0 already stored, 0 rejected\n"
    listed = commands("users", "list", "--output", "csv")
    with open(file, newline="") as sent:
        assert [(user["name"], user["email"]) for user in users(listed)] == [
            (user["name"], user["email"]) for user in csv.DictReader(sent)]
    assert commands("users", "import", str(file)) == "0 imported, 100,000 already stored, 0 rejected\n"
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
    # The rules for new passwords do not apply to a password of another system.
    assert (done.returncode, done.stdout) == (1, "2 imported, 0 already stored, 2 rejected\n")
    assert str(rejected) in done.stderr
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600
    rows = users(rejected.read_text())
    assert sorted((row["line"], row["email"], row["password"]) for row in rows) == [
        ("3", "bad", ""), ("5", "d@example.com", None)]
    assert all(row["reason"] for row in rows)
    corrected = rejected.read_text().replace(",bad,", ",b@example.com,")
    rejected.write_text(corrected.replace("d@example.com", "d@example.com,D,"))
    assert commands("users", "import", str(rejected)) == "2 imported, 0 already stored, 0 rejected\n"
    assert {user["name"] for user in users(commands("users", "list", "--output", "csv"))} == {"A", "B", "C", "D"}


def test_every_rejected_row_of_a_long_file_has_its_reason_and_no_file_is_written_over(commands, tmp_path):
    file, rejected = tmp_path / "users.csv", tmp_path / "users.rejected.csv"
    rows = [f"user{number}@example.com" if number % 50 else f"bad{number}" for number in range(15_000)]
    file.write_text("email\n" + "\n".join(rows) + "\n")
    for number in range(2):
        done = commands.run("users", "import", str(file))
        assert (done.returncode, done.stdout) == (1, [
            "14,700 imported, 0 already stored, 300 rejected\n",
            "0 imported, 14,700 already stored, 300 rejected\n"][number])
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
        {"line": "2", "reason": "name is not a string"}, {"line": "3", "reason": "not a JSON object"},
        {"line": "4", "reason": "email must have the form local-part@domain"}]
    assert rejected.read_text().splitlines()[1::2] == ['{"email": "bad", "name":1e0}', "nonsense", '{"email":"b"}']
    again = commands.run("users", "import", str(rejected))
    assert again.stdout == "0 imported, 0 already stored, 3 rejected\n"
    rejected.write_text(rejected.read_text().replace('"b"', '"b@example.com"').replace("nonsense", ""))
    assert commands.run("users", "import", str(rejected)).stdout == "1 imported, 0 already stored, 1 rejected\n"


def test_an_export_with_hashes_moves_the_users_to_another_service_with_their_passwords(commands, serve, tmp_path):
    file, moved = tmp_path / "users.jsonl", tmp_path / "moved.csv"
    rows = [
        {"email": "ada@example.com", "id": "0190163d-8694-439b-aea5-966c26f8ad91", "name": "'=1", "status": "inactive",
         "created_at": "2020-02-29T12:00:00.000001Z", "updated_at": "2021-01-01T00:00:00.000000Z",
         "labels": {"tenant": "a, \"b\""}},
        {"email": "bob@example.com", "password": "correct horse"},
        {"email": "eve@example.com", "created_at": "2020-01-01T00:00:00Z", "deleted_at": "2022-01-01T00:00:00Z",
         "purge_at": "2100-01-01T00:00:00Z",
         "password_hash": "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert commands("users", "import", str(file)) == "3 imported, 0 already stored, 0 rejected\n"
    assert commands("users", "import", str(file)) == "0 imported, 3 already stored, 0 rejected\n"
    commands("users", "export", "--password-hashes", "--file", str(moved))
    assert stat.S_IMODE(moved.stat().st_mode) == 0o600
    other = Commands(tmp_path / "other", serve().address)
    assert other("users", "import", str(moved)) == "3 imported, 0 already stored, 0 rejected\n"
    exported = commands("users", "export", "--password-hashes", "--output", "jsonl")
    assert other("users", "export", "--password-hashes", "--output", "jsonl") == exported
    ada = next(user for user in map(json.loads, exported.splitlines()) if user["email"] == "ada@example.com")
    assert ada == rows[0]
    assert "password_hash" not in commands("users", "export", "--output", "jsonl")


def test_a_dry_run_reports_every_row_and_stores_none(commands, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text("email,password_hash\na@example.com,\nA@EXAMPLE.com,\nbad,\nb@example.com,nonsense\nc@example.com,\n")
    done = commands.run("users", "import", str(file), "--dry-run")
    assert (done.returncode, done.stdout) == (1, "2 can be imported, 0 already stored, 3 rejected\n")
    reasons = [row["reason"] for row in users((tmp_path / "users.rejected.csv").read_text())]
    assert reasons[0] == "the address is also on line 2" and len(reasons) == 3
    assert users(commands("users", "list", "--output", "csv")) == []


@pytest.mark.engines("sqlite")
def test_an_import_that_is_killed_continues_where_it_was(commands, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text("email\n" + "".join(f"user{number}@example.com\n" for number in range(500_000)))
    progress = tmp_path / "users.csv.progress"
    process = subprocess.Popen([PROGRAM, "users", "import", str(file)], env=commands.environment)
    wait_until(progress.exists)
    process.kill()
    process.wait()
    recorded = json.loads(progress.read_text())["rows"]
    done = commands.run("users", "import", str(file))
    assert done.stderr == f"Continuing after {recorded:,} rows.\n"
    imported, already, rejected = (int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", done.stdout))
    assert (imported + already, rejected) == (500_000, 0) and imported >= recorded
    assert not progress.exists()


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("has_ids", [True, False])
def test_an_import_begins_at_the_start_when_the_database_was_replaced(serve, tmp_path, has_ids):
    """Without ids, all users so far had been there before, which says nothing of the rows before them."""
    file, progress = tmp_path / "users.csv", tmp_path / "users.csv.progress"
    file.write_text("email\n" + "".join(f"user{number}@example.com\n" for number in range(200_000)))
    first = Commands(tmp_path / "home", serve().address)
    process = subprocess.Popen([PROGRAM, "users", "import", str(file)], env=first.environment)
    wait_until(progress.exists)
    process.kill()
    process.wait()
    # The same address, another database.
    other = serve().address
    record = json.loads(progress.read_text())
    assert record["rows"] > 0
    ids = {"checkpoints": record["checkpoints"]} if has_ids else {}
    del record["checkpoints"]
    progress.write_text(json.dumps({**record, **ids, "service": other}))
    done = Commands(tmp_path / "home", other).run("users", "import", str(file))
    note = f"Beginning at the start: {other} does not have the users of {file}.progress.\n"
    assert done.stderr == (note if has_ids else "")
    assert done.stdout == "200,000 imported, 0 already stored, 0 rejected\n"
    assert not progress.exists()


@pytest.mark.engines("sqlite")
def test_an_import_continues_after_the_last_recorded_user_that_is_still_there(serve, tmp_path):
    """As after an older copy of the database was restored, which has some of the users."""
    service = serve()
    commands = Commands(tmp_path / "home", service.address)
    file, progress = tmp_path / "users.csv", tmp_path / "users.csv.progress"
    file.write_text("email\n" + "".join(f"user{number}@example.com\n" for number in range(200_000)))
    process = subprocess.Popen([PROGRAM, "users", "import", str(file)], env=commands.environment)
    wait_until(lambda: progress.exists() and len(json.loads(progress.read_text())["checkpoints"]) > 2)
    process.kill()
    process.wait()
    checkpoints = json.loads(progress.read_text())["checkpoints"]
    kept = checkpoints[-3]["counts"]["rows"]
    execute(service.database,
            f"DELETE FROM users WHERE CAST(substr(email, 5, instr(email, '@') - 5) AS INTEGER) >= {kept}")
    done = commands.run("users", "import", str(file))
    assert done.stderr == f"Continuing after {kept:,} rows.\n"
    assert done.stdout == "200,000 imported, 0 already stored, 0 rejected\n"
    assert count_users(service.database) == 200_000


@pytest.fixture
def exporting(commands, tmp_path):
    """Starts an export of 100,000 users with a treatment of a signal, and returns its process and its folder."""
    file, folder = tmp_path / "users.csv", tmp_path / "out"
    file.write_text("email\n" + "".join(f"user{number}@example.com\n" for number in range(100_000)))
    commands("users", "import", str(file))
    folder.mkdir()

    def start(number, treatment):
        # The process inherits it.
        before = signal.signal(number, treatment)
        process = subprocess.Popen(
            [PROGRAM, "users", "export", "--file", str(folder / "users.csv")], env=commands.environment)
        signal.signal(number, before)
        wait_until(lambda: any(part.stat().st_size for part in folder.iterdir()))
        return process, folder

    return start


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_export_that_is_interrupted_leaves_nothing_behind(exporting, number):
    process, folder = exporting(number, signal.SIG_DFL)
    process.send_signal(number)
    assert process.wait(timeout=60) == -number
    assert list(folder.iterdir()) == []


@pytest.mark.engines("sqlite")
def test_an_export_under_nohup_goes_on_after_a_hang_up(exporting):
    process, folder = exporting(signal.SIGHUP, signal.SIG_IGN)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 0
    [file] = folder.iterdir()
    assert len(file.read_text().splitlines()) == 100_001


BROKEN = {
    "csv": b"email,name\na@example.com,A\r\nj@example.com,J\xfcrgen\n\"b\"@example.com,B\nc\n",
    "jsonl": b'{"email":"a@example.com"}\n{"email":"j@example.com","name":"J\xfcrgen"}\n{"email":"b"@example.com}\nc\n',
}


@pytest.mark.parametrize("form", BROKEN)
def test_a_rejected_row_is_kept_byte_for_byte_and_rejected_again(commands, tmp_path, form):
    file, rejected = tmp_path / f"users.{form}", tmp_path / "why"
    file.write_bytes(BROKEN[form])
    assert commands.run("users", "import", str(file), "--rejected", str(rejected)).stdout == (
        "1 imported, 0 already stored, 3 rejected\n")
    written = rejected.read_bytes()
    for line in BROKEN[form].splitlines()[-3:]:
        assert line + b"\n" in written
    assert b"the byte FC is not UTF-8: if the file has another encoding such as Windows-1252, save it as UTF-8" in written
    again = tmp_path / "again"
    assert commands.run("users", "import", str(rejected), "--format", form, "--rejected", str(again)).stdout == (
        "0 imported, 0 already stored, 3 rejected\n")
    assert len(users(commands("users", "list", "--output", "csv"))) == 1
    # The line numbers are those of the first rejected file; the rest is unchanged.
    unnumbered = re.sub(rb'(?m)^(\{"line":")?\d+', b"", again.read_bytes())
    assert again.read_bytes().count(b"\n") == written.count(b"\n")
    for line in BROKEN[form].splitlines()[-3:]:
        assert line + b"\n" in unnumbered


@pytest.mark.parametrize("form, text", [("csv", "email\na@example.com\n"), ("jsonl", '{"email":"a@example.com"}\n')])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_in_utf_16_is_named_as_that(commands, tmp_path, form, text, encoding):
    file = tmp_path / f"users.{form}"
    file.write_bytes(text.encode(encoding))
    assert "line 1: the file is UTF-16 or UTF-32; save it as UTF-8" in commands("users", "import", str(file), code=1)
    assert users(commands("users", "list", "--output", "csv")) == []
    file.write_bytes(text.encode("utf-8-sig"))
    commands("users", "import", str(file))


def test_rows_of_users_who_are_stored_already_are_listed_on_request(commands, tmp_path):
    file, already = tmp_path / "users.csv", tmp_path / "already.csv"
    commands("users", "create", "--email", "a@example.com")
    file.write_text("email,name\nA@example.com,A\nb@example.com,B\nbad,C\na@EXAMPLE.com,D\n")
    done = commands.run("users", "import", str(file), "--already", str(already))
    assert done.stdout == "1 imported, 2 already stored, 1 rejected\n"
    assert str(already) in done.stderr
    assert already.read_text() == (
        "line,reason,email,name\n2,the user is already stored,A@example.com,A\n"
        "5,the user is already stored,a@EXAMPLE.com,D\n")
    assert stat.S_IMODE(already.stat().st_mode) == 0o600
    assert "new file" in commands("users", "import", str(file), "--already", str(already), code=2)
    assert "two files" in commands("users", "import", str(file), "--already", "x", "--rejected", "x", code=2)


@pytest.mark.parametrize("option", ["--rejected", "--already"])
def test_no_row_is_sent_when_there_is_no_place_for_those_that_are_not_stored(commands, tmp_path, option):
    file = tmp_path / "users.csv"
    file.write_text("email\na@example.com\nbad\n")
    error = commands("users", "import", str(file), option, str(tmp_path / "missing" / "rows.csv"), code=1)
    assert error == f"Error: {tmp_path / 'missing' / 'rows.csv'} cannot be created: No such file or directory\n"
    assert users(commands("users", "list", "--output", "csv")) == []
    # The failed attempt leaves no file behind.
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
    assert done.stdout == "0 imported, 0 already stored, 7 rejected\n"
    # A name that begins with a quote of its own cannot be distinguished from a quoted one.
    done = other.run("users", "import", "-", "--format", "csv", input=raw, directory=tmp_path)
    assert done.stdout == "6 imported, 0 already stored, 1 rejected\n"


def test_addresses_are_one_as_unicode_says_for_every_letter_there_is(commands):
    # Letters without case and composition, such as ideographs, are omitted: each equals only itself, and they are many.
    letters = [chr(code) for code in range(0x80, 0x110000) if unicodedata.category(chr(code))[0] in "LMNPS" and (
        unicodedata.category(chr(code)) != "Lo" or unicodedata.decomposition(chr(code)))]

    def normal(text):
        return unicodedata.normalize("NFD", text)

    # The service refuses letters that are invisible.
    rows = "".join(json.dumps({"email": f"x{letter}x@example.com"}) + "\n" for letter in letters)
    done = commands.run("users", "import", "-", "--format", "jsonl", input=rows, directory=commands.home.parent)
    rejected = [line for line in (commands.home.parent / "import.rejected.jsonl").read_text().splitlines()
                if "reason" not in line]
    refused = {json.loads(line)["email"][1:-len("x@example.com")] for line in rejected}
    assert all("must not contain" in line for line in (
        commands.home.parent / "import.rejected.jsonl").read_text().splitlines() if "reason" in line)
    kinds = {normal(normal(letter).casefold()) for letter in letters if letter not in refused}
    assert done.stdout.startswith(f"{len(kinds):,} imported, "), done.stdout
    # Each address is the same as its folded form.
    changed = [letter for letter in letters if letter not in refused and normal(letter.casefold()) != normal(letter)]
    rows = "".join(json.dumps({"email": f"X{normal(letter).casefold()}X@example.com"}) + "\n" for letter in changed)
    assert commands("users", "import", "-", "--format", "jsonl", input=rows) == (
        f"0 imported, {len(changed):,} already stored, 0 rejected\n")


def test_a_file_that_makes_no_sense_says_where(commands, tmp_path):
    file = tmp_path / "users.csv"
    for text, words in [("", "column names is missing"), ("mail\nx\n", "line 1: the column 'mail'"),
                        ('email\na@example.com\n"b@example.com\n', "line 3: a closing quote is missing")]:
        file.write_text(text)
        error = commands("users", "import", str(file), code=1)
        assert words in error and error.startswith("Stopped after ") and "import again" not in error
    # The rows before the fault are stored.
    assert len(users(commands("users", "list", "--output", "csv"))) == 1


def test_text_of_a_file_does_not_reach_the_terminal_as_commands(commands, tmp_path):
    """Column names and database paths are shown without control characters of terminals."""
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
        # These rows are stored; then the service ends for good.
        wait_until(lambda: len(users(commands("users", "list", "--output", "csv", "--limit", "15000"))) == 15_000)
        service.process.kill()
        service.process.wait()
        with contextlib.suppress(BrokenPipeError):
            out.writelines(rows[15_001:])
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and output == ""
    assert errors.startswith("Stopped after 15,000 imported, 0 already stored, 0 rejected.\n"), errors
    again = Commands(tmp_path / "home", serve(database=service.database).address)
    done = again("users", "import", "-", "--format", "csv", input="".join(rows))
    assert done == "10,000 imported, 15,000 already stored, 0 rejected\n"
