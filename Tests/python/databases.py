"""Looks into the databases of services, of either engine, as other programs may."""

import contextlib
import itertools
import sqlite3
import subprocess

from postgres_server import ENVIRONMENT, INSTALLATIONS
from program import TIMEOUT, run

# psql of the newest installation: it works with all older servers.
PSQL = INSTALLATIONS and INSTALLATIONS[max(INSTALLATIONS, key=int)] / "psql"


def is_postgres(database):
    return str(database).startswith("postgres://")


def execute(database, sql):
    """Executes a statement. Returns its rows, with all values as texts."""
    if not is_postgres(database):
        with contextlib.closing(sqlite3.connect(database, timeout=TIMEOUT)) as connection, connection:
            connection.execute("PRAGMA foreign_keys = ON")
            return [[str(value) for value in row] for row in connection.execute(sql)]
    done = subprocess.run(
        [PSQL, "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql], capture_output=True, text=True,
        timeout=TIMEOUT, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def bytes_literal(database, value):
    """Returns a literal of SQL for bytes."""
    return rf"'\x{value.hex()}'" if is_postgres(database) else f"X'{value.hex()}'"


def count_users(database):
    return int(execute(database, "SELECT count(*) FROM users")[0][0])


def lengthen_waits(database):
    """Imitates more guesses: the wait of 1 second becomes 60, longer than a start or a test takes."""
    changed = execute(database, "UPDATE sign_in_attempts SET failures = 20 WHERE failures = 5 RETURNING failures")
    assert changed == [["20"]]


class Session:
    """A session of psql in which statements are executed one by one, such as those of a transaction."""

    def __init__(self, database):
        self.process = subprocess.Popen(
            [PSQL, "-XAtq", "-d", database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=ENVIRONMENT)
        self.numbers = itertools.count()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def begin(self, sql):
        """Sends statements. Returns the mark that their output ends with."""
        mark = f"-- end {next(self.numbers)}"
        self.process.stdin.write(f"{sql}\n\\echo {mark}\n")
        self.process.stdin.flush()
        return mark

    def end(self, mark):
        """Returns the lines of output, and of errors, before a mark."""
        lines = []
        while (line := self.process.stdout.readline().rstrip("\n")) != mark:
            assert line or self.process.poll() is None, "psql has ended"
            lines.append(line)
        return lines

    def __call__(self, sql):
        """Executes statements, and returns the lines of their output."""
        return self.end(self.begin(sql))


@contextlib.contextmanager
def locked(database):
    """Holds the lock that every writing transaction takes first."""
    if is_postgres(database):
        with Session(database) as session:
            assert session("BEGIN; SELECT is_only FROM store_revision FOR UPDATE;") == ["t"]
            yield
            session("ROLLBACK;")
    else:
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


class NewDatabases:
    """Makes databases with all migrations on a server of PostgreSQL, quickly: as copies of one that is migrated once."""

    def __init__(self, server):
        self.server, self.numbers = server, itertools.count()
        migrated = run("migrate", "up", "--database", server.create_database("migrated"))
        assert migrated.returncode == 0, migrated.stderr

    def __call__(self):
        """Returns the URI of a new database."""
        name = f"users{next(self.numbers)}"
        self.server.psql(f"CREATE DATABASE {name} TEMPLATE migrated")
        return self.server.uri(name)

    def drop(self, databases):
        """Drops databases that are not in use: hundreds of them would fill a small disk."""
        for database in databases:
            self.server.psql(f"DROP DATABASE {database.rsplit('/', 1)[1]}")
