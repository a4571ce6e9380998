"""Measures what docs/scale.md computes with: the bytes that a user takes in SQLite and in PostgreSQL, and the processor time
of PostgreSQL for a look-up, also over partitions. `row_sizes.py [USERS]`, by default 1,000,000; needs 2 GB below /tmp."""

import base64
import hashlib
import os
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import uuid

from postgres_server import ENVIRONMENT, INSTALLATIONS, PostgresServer

MIGRATIONS = pathlib.Path(__file__).resolve().parents[2] / "migrations"
BATCH = 10_000
BEGIN, DAY = 1_780_000_000_000_000, 86_400_000_000
# Of look-ups: users, partitions, and calls of each kind.
FEWER, PARTITIONS, CALLS = 200_000, (16, 64), 20_000

COLUMNS = {
    "users": "id, email, email_key, name, status, created_at, labels",
    "password_credentials": "user_id, phc_hash",
    "sessions": "id, user_id, token_hash, previous_hash, rotated_at, expires_at, kept_until",
    "known_devices": "session_id, user_id, failures, last_at",
    "user_labels": "key, value, user_id",
}
CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"


def schema(engine):
    """The SQL of the migrations: of SQLite in ".", of PostgreSQL in "postgres"."""
    return "".join(file.read_text() for file in sorted((MIGRATIONS / engine).glob("*.up.sql")))


def word(chance):
    return "".join(chance.choice(CONSONANTS) + chance.choice(VOWELS) for _ in range(chance.choice((2, 3, 3, 4))))


def encoded(data):
    return base64.b64encode(data).decode().rstrip("=")


def users(count):
    """Yields batches of rows by table: a user each with a name, a password, a session, its device and a label."""
    chance = random.Random(1)
    for first in range(0, count, BATCH):
        rows = {name: [] for name in COLUMNS}
        for number in range(first, min(first + BATCH, count)):
            time = BEGIN + number * DAY // 1_000_000
            # As UUIDv7: the time in milliseconds, then chance.
            user = (time // 1_000).to_bytes(6, "big") + b"\x70" + chance.randbytes(1) + b"\x80" + chance.randbytes(7)
            given, family = word(chance), word(chance)
            email = f"{given}.{family}{number}@{word(chance)}.example"
            tenant = f"tenant{chance.randrange(1_000)}"
            session = chance.randbytes(16)
            token = hashlib.sha256(session).digest()
            phc = f"$argon2id$v=19$m=19456,t=2,p=1${encoded(chance.randbytes(16))}${encoded(chance.randbytes(32))}"
            rows["users"].append((
                user, email, email.encode(), f"{given} {family}".title(), 1, time, f"tenant={tenant}\n"))
            rows["password_credentials"].append((user, phc))
            rows["sessions"].append((session, user, token, token, time, time + 90 * DAY, time + 30 * DAY))
            rows["known_devices"].append((session, user, 0, time))
            rows["user_labels"].append(("tenant", tenant, user))
        yield rows


def report(title, sizes, count):
    print(f"\n{title}: bytes a row")
    for name, size in sizes.items():
        print(f"  {name:32} {size / count:8.1f}")


def measure_sqlite(count, folder):
    connection = sqlite3.connect(folder / "users.db")
    # The migrations mention the program's functions. Over empty tables, none of them is called.
    for name, arguments in {"user_service_email_key": 2, "user_service_refuse_shared_address": 3,
                            "user_service_name_key": 1, "user_service_place": 2}.items():
        connection.create_function(name, arguments, lambda *_: None, deterministic=True)
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(schema("."))
    for rows in users(count):
        for table, columns in COLUMNS.items():
            # The key of an address is a text in SQLite.
            values = [(*row[:2], row[1], *row[3:]) for row in rows[table]] if table == "users" else rows[table]
            places = ", ".join("?" * (columns.count(",") + 1))
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", values)
        connection.commit()
    sizes = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name HAVING sum(pgsize) > 65536")
    report(f"SQLite {sqlite3.sqlite_version}", dict(sizes.fetchall()), count)
    levels = connection.execute(
        "SELECT name, length(path) - length(replace(path, '/', '')) AS level, count(*) FROM dbstat "
        "WHERE name IN ('users', 'sqlite_autoindex_users_2') AND path NOT LIKE '%+%' GROUP BY name, level")
    print("  pages by level", levels.fetchall())
    connection.close()


def copied(value):
    """A value in the text format of COPY."""
    if isinstance(value, bytes):
        return str(uuid.UUID(bytes=value)) if len(value) == 16 else f"\\\\x{value.hex()}"
    return str(value).replace("\n", "\\n")


def fill(server, database, count):
    """Loads users while all indexes are there, as they are while users come one by one."""
    load = subprocess.Popen(
        [server.programs / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", server.socket_uri(database)],
        stdin=subprocess.PIPE, text=True, env=ENVIRONMENT)
    for rows in users(count):
        for table in COLUMNS:
            # SQLite makes the key of a plain name itself.
            columns, values = COLUMNS[table], rows[table]
            if table == "users":
                columns, values = columns + ", name_key", [(*row, row[3].lower()) for row in values]
            load.stdin.write(f"COPY {table} ({columns}) FROM STDIN;\n")
            load.stdin.writelines("\t".join(map(copied, row)) + "\n" for row in values)
            load.stdin.write("\\.\n")
    load.stdin.close()
    assert load.wait() == 0


def measure_postgres(server, count):
    server.create_database("sizes")
    server.psql(schema("postgres"), "sizes")
    before = server.psql("SELECT pg_current_wal_lsn()")
    fill(server, "sizes", count)
    written = int(server.psql(f"SELECT pg_current_wal_lsn() - '{before}'"))
    server.psql("VACUUM ANALYZE", "sizes")
    found = server.psql(
        "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'i') AND pg_relation_size(oid) > 65536 ORDER BY relname", "sizes")
    sizes = {name: int(size) for name, size in (line.split("|") for line in found.splitlines())}
    report(f"PostgreSQL {server.psql('SHOW server_version')}", {**sizes, "(log of all tables)": written}, count)


def processor_time(server):
    """The processor time of the server's ended processes, in µs."""
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[13:15])) * 1_000_000 // os.sysconf("SC_CLK_TCK")


def run_clients(server, database, clients, script, *options, plans="auto"):
    """Runs a script of pgbench over prepared statements, and returns what pgbench prints."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        return subprocess.run(
            [server.programs / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-f", file.name, *options,
             server.socket_uri(database)],
            check=True, capture_output=True, text=True,
            env={**ENVIRONMENT, "PGOPTIONS": f"-c plan_cache_mode={plans}"}).stdout


def time_of(server, statements, plans):
    """The server's processor time for a call of statements, each a round trip, in µs: the least of three runs."""
    script, times = f"\\set number random(1, {FEWER})\n" + statements, []
    for _ in range(3):
        before = processor_time(server)
        run_clients(server, "postgres", 4, script, "-t", str(CALLS // 4), plans=plans)
        times.append((processor_time(server) - before) / CALLS)
    return min(times)


ID, ADDRESS = "md5(:number::text)::uuid", "convert_to('user' || :number || '@example.com', 'UTF8')"


def measure_look_ups(version):
    """Compares look-ups in one table with those over partitions by the id's hash, and with a directory of addresses."""
    for partitions in (0, *PARTITIONS):
        with PostgresServer(version, fsync="off", autovacuum="off", shared_buffers="512MB") as server:
            server.psql(partitioned(partitions))
            server.psql(
                "INSERT INTO users (id, email, email_key, name, name_key, status, created_at) "
                f"SELECT {ID}, 'user' || n || '@example.com', {ADDRESS}, 'Ada Lovelace', 'ada lovelace', 1, n "
                f"FROM generate_series(1, {FEWER}) AS n".replace(":number", "n"))
            server.psql("INSERT INTO directory SELECT email_key, id FROM users")
            server.psql("VACUUM ANALYZE")
            if not partitions:
                size = server.psql("SELECT pg_relation_size('directory'), pg_relation_size('directory_pkey')")
                print("directory of addresses, its index: bytes a row", [int(part) / FEWER for part in size.split("|")])
            for plans in ("force_custom_plan", "force_generic_plan"):
                print_look_ups(server, f"{partitions or 'no':>3} partitions, {plans}", plans)


def print_look_ups(server, title, plans):
    spent = [time_of(server, statements, plans) for statements in (
        f"SELECT * FROM users WHERE id = {ID};\n", f"SELECT * FROM users WHERE email_key = {ADDRESS};\n",
        f"SELECT user_id FROM directory WHERE email_key = {ADDRESS} \\gset\nSELECT * FROM users WHERE id = :user_id;\n")]
    print(f"  {title:36} by id {spent[0]:7.1f}, by address {spent[1]:7.1f}, by the directory {spent[2]:7.1f}", flush=True)


def partitioned(count):
    table, _, _ = schema("postgres").partition("CREATE UNIQUE INDEX users_by_place")
    if count:
        # A unique constraint of a partitioned table must include the partition key.
        table = table.replace("NOT NULL UNIQUE", "NOT NULL").replace("\n);", "\n) PARTITION BY HASH (id);")
        table += "CREATE INDEX ON users (email_key);"
        table += "".join(
            f"CREATE TABLE users_{part} PARTITION OF users FOR VALUES WITH (MODULUS {count}, REMAINDER {part});"
            for part in range(count))
    return table + "CREATE TABLE directory (email_key bytea PRIMARY KEY, user_id uuid NOT NULL);"


def measure_revision(version):
    """Compares groups of 100 rows whose transactions share a row with those that share nothing, 16 at a time."""
    insert = "INSERT INTO numbers SELECT generate_series(1, 100);\n"
    update = "UPDATE revision SET number = number + 1;\n"
    with PostgresServer(version) as server:
        server.psql(
            "CREATE TABLE numbers (number int); CREATE TABLE revision (number bigint); INSERT INTO revision VALUES (0)")
        for title, script in {"sharing nothing": insert, "sharing a row, taken last": insert + update,
                              "sharing a row, taken first": update + insert}.items():
            found = run_clients(server, "postgres", 16, f"BEGIN;\n{script}COMMIT;\n", "-T", "10")
            print(f"  {title:36} {re.search(r'tps = ([0-9.]+)', found)[1]} groups a second")


def main(count):
    with tempfile.TemporaryDirectory() as folder:
        measure_sqlite(count, pathlib.Path(folder))
    for version in INSTALLATIONS:
        with PostgresServer(version, fsync="off", shared_buffers="512MB", max_wal_size="4GB") as server:
            measure_postgres(server, count)
        print(f"\nPostgreSQL {version}, {FEWER} users: µs of the server's processor a look-up", flush=True)
        measure_look_ups(version)
        print(f"\nPostgreSQL {version}: group commit with 16 writers", flush=True)
        measure_revision(version)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
