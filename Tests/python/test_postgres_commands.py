"""Tests commands over databases of PostgreSQL: migrations, tokens, imports and exports, and what is refused."""

import concurrent.futures
import contextlib
import json
import os
import subprocess
import uuid

import grpc
import pytest

from callers import Caller, failure, service_token, token_id
from commands import Commands
from conftest import Service, starter
from databases import Session, bytes_literal, execute
from program import PROGRAM, TIMEOUT, run
from user_calls import UserCalls
from waiting import wait_until

LAST = 9
PASSWORD = "correct horse"


@pytest.fixture
def database(postgres):
    """The URI of a new, empty database."""
    return postgres.create_database(f"d{uuid.uuid4().hex}")


@pytest.fixture(autouse=True)
def keys(monkeypatch, tmp_path):
    """Keeps the keys of services and commands out of the working folder, where they are by default."""
    monkeypatch.setenv("USER_SERVICE_AUTH_KEYS", str(tmp_path / "users.keys"))


@pytest.fixture
def start(tmp_path, database):
    """Starts services of the database."""
    with starter(tmp_path, "inline") as serve:
        yield lambda *arguments, **keywords: serve(*arguments, database=database, **keywords)


def migrate(database, *arguments):
    done = run("migrate", *arguments, "--database", database)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


SERVE = ["serve", "--listen", "127.0.0.1:0", "--auth", "off"]


def errors(database, *commands):
    """Returns what the commands, and `serve`, say of a database that they refuse; one line each."""
    said = set()
    for command in [*commands, SERVE]:
        done = run(*command, "--database", database)
        assert (done.returncode, done.stdout) == (1, ""), done
        [line] = done.stderr.splitlines()
        assert line.startswith("Error: ")
        said.add(line.removeprefix("Error: "))
    return said


def states(database):
    return [line.split(maxsplit=2)[2] for line in migrate(database, "status")[1:]]


TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
VERIFY, UP, DOWN = ["migrate", "verify"], ["migrate", "up"], ["migrate", "down", "--yes"]


# Migrations


def test_migrations_go_up_and_down(database):
    assert states(database) == ["pending"] * LAST
    # A look at the state leaves nothing behind.
    assert execute(database, TABLES) == []
    assert run(*VERIFY, "--database", database).returncode == 1
    assert migrate(database, "up", "--to", "4")[-1] == "at version 4"
    assert [state.split()[0] for state in states(database)] == ["applied"] * 4 + ["pending"] * (LAST - 4)
    assert migrate(database, "up")[-1] == f"at version {LAST}"
    assert migrate(database, "up") == [f"nothing to do: the database is at version {LAST}"]
    assert migrate(database, "verify") == ["the database is in order"]
    assert migrate(database, "down", "--to", "0", "--yes")[-1] == "at version 0"
    assert execute(database, TABLES) == [["schema_migrations"]]
    assert migrate(database, "up")[-1] == f"at version {LAST}"


def test_of_many_migrators_at_once_each_step_is_one_s(database):
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: migrate(database, "up"), range(4)))
    applied = [line for lines in runs for line in lines if line.startswith("applied ")]
    assert len(applied) == len(set(applied)) == LAST
    assert all(lines[-1].endswith(f"at version {LAST}") for lines in runs)
    assert migrate(database, "verify") == ["the database is in order"]


def test_services_that_start_at_once_migrate_once(database, start):
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: start(), range(3)))
    assert migrate(database, "verify") == ["the database is in order"]


def test_a_service_migrates_only_if_it_may(database):
    for command in (VERIFY, [*SERVE, "--no-migrate"], ["token", "list"], ["users", "unlock", str(uuid.uuid4())]):
        done = run(*command, "--database", database)
        assert done.returncode == 1 and "not migrated yet: 0001_create_users, " in done.stderr
        assert done.stderr.endswith("run 'user-service migrate up'\n")
    assert states(database) == ["pending"] * LAST


def test_an_edited_migration_is_refused(database):
    migrate(database, "up")
    execute(database, "UPDATE schema_migrations SET checksum = 'x' WHERE version = 3")
    [line] = errors(database, VERIFY, UP, DOWN, ["token", "list"])
    assert "migration 0003_create_secrets was applied with different SQL" in line
    assert [index for index, state in enumerate(states(database)) if "different SQL" in state] == [2]


def newer(database, version):
    execute(database, f"INSERT INTO schema_migrations VALUES ({version}, 'newer', 'x', '2026-01-01T00:00:00Z')")


def test_a_database_that_is_newer_by_one_version_is_served_and_by_two_is_refused(pb, database, start):
    migrate(database, "up")
    newer(database, LAST + 1)
    service = start()
    with grpc.insecure_channel(service.address) as channel:
        calls = UserCalls(pb, pb.Stub(channel))
        ada = calls.create("ada@example.com")
        assert calls.find(ada.email) == ada
    assert run("token", "list", "--database", database).returncode == 0
    for command in (VERIFY, UP, DOWN):
        assert "use a newer program" in run(*command, "--database", database).stderr
    newer(database, LAST + 2)
    [line] = errors(database, VERIFY, UP, DOWN, ["token", "list"])
    assert line.endswith(
        f"the database is at version {LAST + 2}, but this program knows only versions up to {LAST}; use a newer program")


def test_a_database_with_another_program_s_users_is_refused_unchanged(database):
    execute(database, "CREATE TABLE users (id integer)")
    [line] = errors(database, ["migrate", "status"], VERIFY, UP, DOWN, ["token", "list"])
    assert line.endswith("it has a table 'users' of another program; nothing was changed")
    assert execute(database, TABLES) == [["users"]]


def test_a_row_that_refers_to_a_missing_one_is_found(database):
    migrate(database, "up")
    execute(database, "SET session_replication_role = replica; "
                      "INSERT INTO password_credentials VALUES ('0190163d-8694-439b-aea5-966c26f8ad91', 'x')")
    done = run(*VERIFY, "--database", database)
    assert done.returncode == 1 and "rows of password_credentials refer to missing rows" in done.stderr


# Databases that cannot be used

SECRET = "secret horse"


@pytest.fixture
def role(own_postgres):
    """A server that asks for passwords, and the URI of a role without permissions."""
    own_postgres.psql(f"CREATE ROLE reader LOGIN PASSWORD '{SECRET}'")
    (own_postgres.data / "pg_hba.conf").write_text(
        "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    own_postgres.psql("SELECT pg_reload_conf()")
    database = own_postgres.create_database("d")
    return database, database.replace("postgres@", "reader:secret%20horse@")


def test_what_makes_a_server_s_database_unusable_is_said_without_the_password(role, own_postgres):
    database, reader = role
    execute(database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    [line] = errors(reader, UP)
    assert "permission denied for schema public" in line and SECRET not in line and "horse" not in line
    migrate(database, "up")
    [line] = errors(reader, VERIFY, UP, ["token", "list"])
    assert "permission denied for table schema_migrations" in line and "horse" not in line
    for wrong, words in [
        (reader.replace("secret", "wrong"), 'password authentication failed for user "reader"'),
        (database.replace("/d", "/missing"), 'database "missing" does not exist'),
        (database.replace(str(own_postgres.port), "1"), "Connection refused"),
        (reader + "?nonsense=1", "invalid URI query parameter")]:
        [line] = errors(wrong, UP, VERIFY, ["token", "list"])
        assert words in line and "horse" not in line


def test_a_service_that_may_only_read_is_refused(role):
    database, reader = role
    migrate(database, "up")
    execute(database, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    [line] = errors(reader)
    assert "permission denied" in line and "horse" not in line


def test_the_password_is_not_logged(pb, role):
    database, reader = role
    execute(database, "ALTER DATABASE d OWNER TO reader; ALTER SCHEMA public OWNER TO reader")
    service = Service(reader, "--log-level", "trace")
    with grpc.insecure_channel(service.address) as channel:
        UserCalls(pb, pb.Stub(channel)).create("ada@example.com")
        # A failure, which is logged with its cause.
        execute(database, "ALTER ROLE reader NOLOGIN")
        execute(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'")
        assert failure(lambda: UserCalls(pb, pb.Stub(channel)).create("bob@example.com"))[1] == "DATABASE_UNREACHABLE"
    service.process.terminate()
    output, logged = service.process.communicate(timeout=TIMEOUT)
    assert "DATABASE_UNREACHABLE" in logged and "horse" not in output + logged


@pytest.mark.parametrize("database", [
    "postgres://reader:secret%20horse@example.com/d", "postgres://reader@example.com/d?password=horse"])
def test_the_settings_are_shown_without_the_password(database):
    shown = subprocess.run(
        [PROGRAM, "settings"], capture_output=True, text=True, timeout=TIMEOUT,
        env={**os.environ, "USER_SERVICE_DATABASE": database})
    assert shown.returncode == 0 and "reader@example.com" in shown.stdout and "horse" not in shown.stdout + shown.stderr


def test_an_encoding_that_is_not_utf_8_is_refused(postgres):
    name = f"d{uuid.uuid4().hex}"
    postgres.psql(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0")
    [line] = errors(postgres.uri(name), VERIFY, UP)
    assert "the database has the encoding SQL_ASCII; user-service needs one with UTF8" in line


# Tokens and users


def test_tokens_are_issued_listed_and_revoked(pb, database, start):
    assert "not migrated yet" in run("token", "list", "--database", database).stderr
    service = start(auth="on")
    token = service_token(service)
    with grpc.insecure_channel(service.address) as channel:
        assert Caller(pb, channel).list(token) == []
    for words in (f"revoked token {token_id(token)}\n", f"token {token_id(token)} was already revoked\n"):
        assert words in run("token", "revoke", "--database", database, "--jti", token_id(token)).stdout
    rows = [line.split() for line in run("token", "list", "--database", database).stdout.splitlines()]
    assert rows[0] == ["TOKEN", "SUBJECT", "REVOKED", "EXPIRES"] and [row[0] for row in rows[1:]] == [token_id(token)]


def test_an_operator_unlocks_a_user(pb, database, start):
    service = start(auth="on")
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        account = bytes_literal(database, uuid.UUID(ada.id).bytes)
        execute(database, f"INSERT INTO sign_in_accounts VALUES ({account}, 100, 1)")
        assert failure(caller.sign_in)[1] == "SIGN_IN_DISABLED"
        done = run("users", "unlock", ada.id, "--database", database)
        assert (done.returncode, done.stdout) == (0, f"unlocked {ada.id}: 100 consecutive failures reset\n")
        caller.sign_in()
    assert run("users", "unlock", str(uuid.uuid4()), "--database", database).returncode == 3


def test_keys_are_not_in_the_database(database, tmp_path, monkeypatch):
    monkeypatch.delenv("USER_SERVICE_AUTH_KEYS")
    migrate(database, "up")
    done = subprocess.run(
        [PROGRAM, "token", "issue", "--database", database, "--subject", "x", "--scope", "users:read"],
        capture_output=True, text=True, timeout=TIMEOUT, cwd=tmp_path)
    assert done.returncode == 0
    assert [(file.name, file.stat().st_mode & 0o777) for file in tmp_path.iterdir()] == [("user-service.keys", 0o600)]


# From one engine to the other


def test_users_move_from_sqlite_and_back_unchanged(start, serve, tmp_path):
    rows = [{"email": f"user{number}@example.com", "name": f"é 👩‍👩‍👧 \"{number}\"", "labels": {"number": str(number)},
             "status": "inactive" if number % 3 == 0 else "active",
             "created_at": f"2020-01-01T00:00:00.{number:06}Z"} for number in range(500)]
    rows.append({"email": "ada@example.com", "password": PASSWORD})
    rows.append({"email": "eve@example.com", "created_at": "2020-01-01T00:00:00Z", "deleted_at": "2022-01-01T00:00:00Z",
                 "purge_at": "2100-01-01T00:00:00Z"})
    services = [serve(), start(), serve()]
    files = []
    text = "".join(json.dumps(row) + "\n" for row in rows)
    for number, service in enumerate(services):
        commands = Commands(tmp_path / f"home{number}", service.address)
        done = commands("users", "import", "-", "--format", "jsonl", input=text, directory=tmp_path)
        assert done == "502 imported, 0 already stored, 0 rejected\n"
        text = commands("users", "export", "--password-hashes", "--output", "jsonl")
        files.append(text)
    assert len(files[0].splitlines()) == 502
    assert files[0] == files[1] == files[2]
    for number, service in enumerate(services):
        Commands(tmp_path / f"home{number}", service.address)(
            "sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)


# Isolation


def test_a_stricter_isolation_level_of_the_database_makes_no_call_fail(pb, database, start):
    name = database.rsplit("/", 1)[1]
    execute(database, f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    with contextlib.ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(start().address)) for _ in range(2)]
        callers = [UserCalls(pb, pb.Stub(channel)) for channel in channels]
        shared = callers[0].create("shared@example.com")

        def work(number):
            calls = callers[number % 2]
            for turn in range(25):
                user = calls.create(f"user{number}-{turn}@example.com")
                calls.update(shared.id, name=f"{number}-{turn}")
                assert calls.get(user.id) == user
                assert calls.find(user.email) == user
                calls.listing(page_size=10)
                if turn % 3 == 0:
                    calls.delete(user.id)

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        assert execute(database, "SELECT count(*) FROM users") == [["201"]]


def test_a_migrator_waits_for_another_one(database):
    migrate(database, "up", "--to", "8")
    with Session(database) as session:
        # As a migrator does, which is in the middle of a step.
        session("BEGIN; LOCK TABLE schema_migrations;")
        waiting = subprocess.Popen([PROGRAM, *UP, "--database", database], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: execute(database, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [["1"]])
        assert waiting.poll() is None
        session("COMMIT;")
        assert waiting.communicate(timeout=TIMEOUT)[0].splitlines()[-1] == f"at version {LAST}"
