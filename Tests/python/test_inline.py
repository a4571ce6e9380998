"""Tests that the two roads of GetUser, GetUserByEmail and CreateUser are indistinguishable: same bytes, headers, log
lines and metrics."""

import gzip
import re
import socket
import time
import uuid

import grpc

import frames
from databases import execute, is_postgres, locked
from frames import field, message, request
from metrics import calls, families, inline_calls
from waiting import wait_until

# Each test runs on SQLite and on PostgreSQL.
ENGINES = ["sqlite", "postgres"]

UNKNOWN_FIELD = field(15, "?")


def requests(user_id):
    """Yields a name, headers and frames of requests, some for the inline road and some for the handler road."""
    plain = message(field(1, user_id))
    zipped = gzip.compress(field(1, user_id))
    yield "plain", {}, [plain]
    yield "capitals", {}, [message(field(1, user_id.upper()))]
    yield "an unknown field", {}, [message(field(1, user_id) + UNKNOWN_FIELD)]
    yield "a field twice", {}, [message(field(1, "nobody") + field(1, user_id))]
    yield "compressed", {"grpc_encoding": "gzip"}, [message(zipped, flag=1)]
    yield "gzip is accepted", {"grpc_accept_encoding": "gzip"}, [plain]
    yield "in pieces", {}, [plain[:3], plain[3:20], plain[20:]]
    yield "a deadline", {"grpc_timeout": "1H"}, [plain]
    yield "a request id", {"x_request_id": "one-2_3.4"}, [plain]
    yield "another user", {}, [message(field(1, str(uuid.uuid4())))]
    yield "no id", {}, [message(field(1, "nobody"))]
    yield "nothing", {}, [message()]
    yield "no message", {}, [b""]
    yield "two messages", {}, [plain + plain]
    yield "half a message", {}, [plain[:-1]]
    yield "no protobuf", {}, [message(b"\xff\xff")]
    yield "not UTF-8", {}, [message(b"\x0a\x24" + b"\xff" * 36)]


def ask(client, stream, headers, pieces, end):
    """Returns the whole response to a request. The last piece ends the stream if `end`, else an empty frame does."""
    sent = [client.header_frame(stream, request("GetUser", **headers))]
    for index, piece in enumerate(pieces):
        sent.append(frames.data(stream, piece, end=end and index == len(pieces) - 1))
    if not end:
        sent.append(frames.data(stream, end=True))
    client.send(*sent)
    response = client.response(stream)
    return response.blocks, bytes(response.body), response.reset


def create(client):
    client.call(1, request("CreateUser"), message(field(1, "ada@example.com")))
    return client.response(1).messages[0][1][2:38].decode()


# A test that holds the database's lock may do so for as long as a slow machine needs.
PATIENT = {"busy.timeout": "10m"}


def both_ways(serve, *arguments, settings=None, **keywords):
    """Yields a service with the inline road, and one without it."""
    for inline in ("true", "false"):
        yield serve(*arguments, **{**keywords, "settings": {**(settings or {}), "grpc.inline": inline}})


def test_both_ways_answer_alike(serve, connect):
    inline = serve()
    clients = [connect(inline.address)]
    user_id = create(clients[0])
    # Started after the user is stored: a running service may answer from a snapshot that is a few milliseconds old.
    task = serve("--take-over", database=inline.database, settings={"grpc.inline": "false"})
    clients.append(connect(task.address))
    stream = 3
    for name, headers, pieces in requests(user_id):
        for end in (True, False):
            short, long = (ask(client, stream, headers, pieces, end) for client in clients)
            assert short == long, name
            stream += 2


def test_both_ways_find_alike(serve, connect):
    """GetUserByEmail has the same responses, log lines and metrics on both roads."""
    seen = []
    first = serve()
    user_id = create(connect(first.address))
    for service in both_ways(serve, "--take-over", "--log-level", "info", "--metrics-listen", "127.0.0.1:0",
                             database=first.database):
        client, answers = connect(service.address), []
        for stream, (name, headers, pieces) in enumerate(searches()):
            client.send(client.header_frame(1 + 2 * stream, request("GetUserByEmail", **headers)),
                        *[frames.data(1 + 2 * stream, piece, end=piece is pieces[-1]) for piece in pieces])
            response = client.response(1 + 2 * stream)
            answers.append((name, response.blocks, bytes(response.body), response.reset))
        counts = calls(service, "user.v1.UserService/GetUserByEmail")
        seen.append((answers, counts, [line.replace(user_id, "ID") for line in lines(service, "GetUserByEmail")]))
    for inline, task in zip(seen[0][0], seen[1][0], strict=True):
        assert inline == task
    assert seen[0][1:] == seen[1][1:]
    assert seen[0][1][1] == {"OK": 6, "NOT_FOUND": 1, "INVALID_ARGUMENT": 2, "UNIMPLEMENTED": 1, "INTERNAL": 2}


def searches():
    """Yields names, headers and frames of GetUserByEmail requests, like `requests`."""
    plain = message(field(1, "ada@example.com"))
    yield "plain", {}, [plain]
    yield "capitals", {}, [message(field(1, "ADA@example.com"))]
    yield "deleted ones, too", {}, [message(field(1, "ada@example.com") + bytes([2 << 3, 1]))]
    yield "an unknown field", {}, [message(field(1, "ada@example.com") + UNKNOWN_FIELD)]
    yield "compressed", {"grpc_encoding": "gzip"}, [message(gzip.compress(field(1, "ada@example.com")), flag=1)]
    yield "in pieces", {}, [plain[:3], plain[3:]]
    yield "another address", {}, [message(field(1, "bob@example.com"))]
    yield "no address", {}, [message(field(1, "ada"))]
    yield "nothing", {}, [message()]
    yield "no message", {}, [b""]
    yield "no protobuf", {}, [message(b"\xff\xff")]
    yield "not UTF-8", {}, [message(b"\x0a\x04" + b"\xff" * 4)]


def test_both_ways_keep_to_the_limit_of_responses(serve, connect):
    small = {"grpc.max.send.msg.size": 60}
    user_id = create(connect((first := serve()).address))
    answers = []
    for inline in ("true", "false"):
        service = serve("--take-over", database=first.database, settings={**small, "grpc.inline": inline})
        blocks, body, reset = ask(connect(service.address), 1, {}, [message(field(1, user_id))], True)
        # The handler's headers may be sent before its message turns out to be too large.
        fields = {name: value for block in blocks for name, value in block.items()}
        answers.append((fields, body, reset))
    assert answers[0] == answers[1]
    assert answers[0][0]["grpc-status"] == "8"


def lines(service, method="GetUser"):
    """Returns the log lines of the method's calls, without the values that differ between calls."""
    service.process.send_signal(15)
    _, errors = service.process.communicate(timeout=60)
    calls = [line for line in errors.splitlines() if method in line]
    for pattern in (r"^\S+", r"duration_ms=\S+", r"peer=\S+", r"request_id=[0-9a-f]{16}\b", r"error_id=\S+"):
        calls = [re.sub(pattern, "", line) for line in calls]
    return calls


def test_both_ways_log_and_count_alike(serve, connect):
    """Answered, failed and declined calls have the same log lines, with refused callers, and the same metrics."""
    seen = []
    for service in both_ways(serve, "--log-level", "info", "--metrics-listen", "127.0.0.1:0"):
        client = connect(service.address)
        user_id = create(client)
        for stream, (_, headers, pieces) in enumerate(requests(user_id)):
            ask(client, 3 + 2 * stream, headers, pieces, True)
        counts = calls(service, "user.v1.UserService/GetUser")
        seen.append((counts, [line.replace(user_id, "ID") for line in lines(service)]))
    assert seen[0] == seen[1]
    (started, ended), log = seen[0]
    assert started == sum(ended.values()) == len(log) == 17 and ended["OK"] == 9
    assert sum("status=ok" in line for line in log) == 9
    assert any("request_id=one-2_3.4" in line for line in log)


def test_the_short_way_is_taken(pb, serve, connect):
    """Plain calls of each method with an inline road are answered inline, and only on the service that has it."""
    for service, inline in zip(both_ways(serve, "--metrics-listen", "127.0.0.1:0"), (1, 0), strict=True):
        client = connect(service.address)
        user_id = create(client)
        for stream in (3, 5):
            assert ask(client, stream, {}, [message(field(1, user_id))], True)[2] is None
        with grpc.insecure_channel(service.address) as channel:
            users = pb.Stub(channel)
            users.BulkCreateUsers(iter([pb.CreateUserRequest(email="bob@example.com")]))
            list(users.UserUpdates(iter([pb.UserUpdateRequest(user_id=user_id, name="Ada")])))
            users.GetUserByEmail(pb.GetUserByEmailRequest(email="ada@example.com"))
        counts = {name: inline_calls(service, "user.v1.UserService/" + name)
                  for name in ("CreateUser", "GetUser", "GetUserByEmail", "BulkCreateUsers", "UserUpdates")}
        assert counts == {"CreateUser": inline, "GetUser": 2 * inline, "GetUserByEmail": inline,
                          "BulkCreateUsers": inline, "UserUpdates": inline}


def test_calls_that_fail_take_the_short_way_too(serve, connect):
    """A call with a known caller stays on the inline road, whatever its end."""
    service = serve("--metrics-listen", "127.0.0.1:0")
    client = connect(service.address)
    for stream, body in ((1, field(1, "nobody")), (3, b"\xff\xff"), (5, b"")):
        ask(client, stream, {}, [message(body)], True)
    for stream, body in ((7, field(1, "nobody@")), (9, field(1, "ada@example.com") + field(3, "correct horse"))):
        client.call(stream, request("CreateUser"), message(body))
        client.response(stream)
    assert inline_calls(service, "user.v1.UserService/GetUser") == 3
    assert inline_calls(service, "user.v1.UserService/CreateUser") == 2


def test_an_unknown_token_is_the_handlers(serve, connect):
    """The inline road does not check its signature."""
    service = serve("--metrics-listen", "127.0.0.1:0", auth="on")
    client = connect(service.address)
    plain = [message(field(1, str(uuid.uuid4())))]
    for stream, headers in ((1, {}), (3, {"authorization": "Bearer x"})):
        blocks = ask(client, stream, headers, plain, True)[0]
        assert blocks[-1]["grpc-status"] == "16"
    assert inline_calls(service, "user.v1.UserService/GetUser") == 0
    assert calls(service, "user.v1.UserService/GetUser")[0] == 2


# CreateUser

ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def creations():
    """Yields names, headers and frames of CreateUser requests, like `requests`. The order matters."""
    ada = field(1, "ada@example.com") + field(2, "Ada")
    yield "plain", {}, [message(ada)]
    yield "registered already", {}, [message(field(1, "ADA@example.com"))]
    yield "a request id", {}, [message(field(1, "bob@example.com") + field(4, ONE))]
    yield "the same once more", {}, [message(field(1, "bob@example.com") + field(4, ONE.upper()))]
    yield "another with that id", {}, [message(field(1, "bert@example.com") + field(4, ONE))]
    yield "registered already, with an id", {}, [message(field(1, "bob@example.com") + field(4, TWO))]
    yield "a password", {}, [message(field(1, "cid@example.com") + field(3, "correct horse") + field(4, TWO))]
    yield "that request without it", {}, [message(field(1, "cid@example.com") + field(4, TWO))]
    yield "a password that is too short", {}, [message(field(1, "x@example.com") + field(3, "x"))]
    yield "no address", {}, [message(field(1, "nobody"))]
    yield "nothing", {}, [message()]
    yield "an invalid request id", {}, [message(field(1, "x@example.com") + field(4, "1"))]
    yield "an unknown field", {}, [message(field(1, "dan@example.com") + UNKNOWN_FIELD)]
    yield "longer than users are", {}, [message(field(1, "ian@example.com") + UNKNOWN_FIELD * 1_000)]
    yield "compressed", {"grpc_encoding": "gzip"}, [message(gzip.compress(field(1, "eve@example.com")), flag=1)]
    yield "in pieces", {}, [message(field(1, "fay@example.com"))[:9], message(field(1, "fay@example.com"))[9:]]
    yield "a deadline", {"grpc_timeout": "1H"}, [message(field(1, "gil@example.com"))]
    yield "an id of the log", {"x_request_id": "one-2_3.4"}, [message(field(1, "hal@example.com"))]
    yield "no message", {}, [b""]
    yield "two messages", {}, [message(field(1, "x@example.com")) + message(field(1, "y@example.com"))]
    yield "half a message", {}, [message(field(1, "x@example.com"))[:-1]]
    yield "no protobuf", {}, [message(b"\xff\xff")]


def ask_to_create(pb, client, stream, headers, pieces):
    """Returns the response to a CreateUser request, like `ask`, without the values that differ between users."""
    pieces = [frames.data(stream, piece, end=index == len(pieces) - 1) for index, piece in enumerate(pieces)]
    client.send(client.header_frame(stream, request("CreateUser", **headers)), *pieces)
    response = client.response(stream)
    users = [pb.User.FromString(body) for _, body in response.messages]
    for user in users:
        assert uuid.UUID(user.id).version == 7 and abs(user.created_at.seconds - time.time()) < 600
        assert user.update_time == user.created_at and len(user.etag) == 16
        for name in ("id", "created_at", "update_time", "etag"):
            user.ClearField(name)
    return response.blocks, users, response.reset


def test_both_ways_create_alike(pb, serve, connect):
    seen = []
    for service in both_ways(serve, "--log-level", "info", "--metrics-listen", "127.0.0.1:0"):
        client = connect(service.address)
        answers = [(name, ask_to_create(pb, client, 1 + 2 * number, headers, pieces))
                   for number, (name, headers, pieces) in enumerate(creations())]
        method = "user.v1.UserService/CreateUser"
        seen.append((answers, calls(service, method), lines(service, "CreateUser")))
    for (name, inline), (_, task) in zip(seen[0][0], seen[1][0], strict=True):
        assert inline == task, name
    assert seen[0][1:] == seen[1][1:]
    (started, ended), log = seen[0][1:]
    assert started == sum(ended.values()) == len(log) == 22
    assert ended == {"OK": 10, "ALREADY_EXISTS": 2, "INVALID_ARGUMENT": 6, "UNIMPLEMENTED": 2, "INTERNAL": 2}


def test_both_ways_create_in_the_end(serve, connect, pb):
    """Each acknowledged row is stored once, by both roads."""
    for service in both_ways(serve):
        client = connect(service.address)
        for number in range(100):
            client.send(*[client.header_frame(1 + 2 * number, request("CreateUser")),
                          frames.data(1 + 2 * number, message(field(1, f"user{number}@example.com")), end=True)])
        ids = {pb.User.FromString(client.response(1 + 2 * number).messages[0][1]).id for number in range(100)}
        column = "id" if is_postgres(service.database) else "hex(id)"
        stored = execute(service.database, f"SELECT {column} FROM users")
        assert sorted(uuid.UUID(row[0]) for row in stored) == sorted(uuid.UUID(id) for id in ids)


def test_both_ways_limit_a_peer_alike(pb, serve, connect):
    statuses = []
    for service in both_ways(serve, auth="on", settings={"peer.burst": 4, "peer.rate": "0.001"}):
        client = connect(service.address)
        bodies = [field(1, f"{name}@example.com") for name in ("ada", "ada", "nobody@", "bob", "cid", "dan")]
        answers = [ask_to_create(pb, client, 1 + 2 * number, {}, [message(body)])[0]
                   for number, body in enumerate(bodies)]
        statuses.append([blocks[-1]["grpc-status"] for blocks in answers])
    assert statuses[0] == statuses[1] == ["0", "6", "3", "0", "8", "8"]


def test_a_creation_under_way_is_answered_before_the_service_ends(serve, connect):
    for service in both_ways(serve, "--metrics-listen", "127.0.0.1:0", settings=PATIENT):
        client = connect(service.address)
        with locked(service.database):
            client.send(client.header_frame(1, request("CreateUser")),
                        frames.data(1, message(field(1, "ada@example.com")), end=True))
            wait_until(lambda: calls(service, "user.v1.UserService/CreateUser")[0] == 1)
            service.process.send_signal(15)
            wait_until(lambda: not serves(service))
        assert client.response(1).status == "0"
        _, errors = service.process.communicate(timeout=60)
        assert service.process.returncode == 0, errors


def test_a_caller_that_goes_leaves_nothing_behind(serve, connect):
    """The connection is lost while its users wait for the database."""
    for service in both_ways(serve, "--metrics-listen", "127.0.0.1:0", settings=PATIENT):
        with locked(service.database):
            method = "user.v1.UserService/CreateUser"
            client = connect(service.address)
            for number in range(20):
                client.send(client.header_frame(1 + 2 * number, request("CreateUser")),
                            frames.data(1 + 2 * number, message(field(1, f"user{number}@example.com")), end=True))
                wait_until(lambda: calls(service, method)[0] == number + 1 and waiting(service) == number)
            client.socket.close()
            wait_until(lambda: families(service)["user_service_connections"].samples[0].value == 0
                       or calls(service, method)[1].get("CANCELLED", 0) == 19)
        wait_until(lambda: sum(calls(service, method)[1].values()) == 20)
        assert service.stop() == (0, "")
        assert execute(service.database, "SELECT email FROM users") == [["user0@example.com"]]


def serves(service):
    """Returns whether the service accepts connections."""
    host, port = service.address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
        return True
    except (ConnectionRefusedError, ConnectionResetError):
        return False


def waiting(service):
    """Returns the number of writes waiting for a transaction."""
    return families(service)["user_service_writes_waiting"].samples[0].value


def test_both_ways_end_alike_when_the_caller_does_not_wait(serve, connect):
    """A user whose transaction has not begun when its call ends is not created."""
    seen = []
    for service in both_ways(serve, "--log-level", "info", "--metrics-listen", "127.0.0.1:0", settings=PATIENT):
        client = connect(service.address)
        with locked(service.database):
            # The writer takes the first write, and waits for the database; the others wait for the writer.
            for count, headers in enumerate(({}, {"grpc_timeout": "1S"}, {})):
                stream = 1 + 2 * count
                client.send(client.header_frame(stream, request("CreateUser", **headers)),
                            frames.data(stream, message(field(1, f"user{stream}@example.com")), end=True))
                wait_until(lambda: calls(service, "user.v1.UserService/CreateUser")[0] == count + 1
                           and waiting(service) == count)
            expired = client.response(3)
            client.send(frames.reset(5))
            client.round_trip()
        first = client.response(1)
        assert (first.status, expired.status) == ("0", "4")
        assert client.call(7, request("CreateUser"), message(field(1, "user7@example.com"))).status == "0"
        emails = [row[0] for row in execute(service.database, "SELECT email FROM users ORDER BY id")]
        seen.append((emails, expired.blocks, sorted(lines(service, "CreateUser"))))
    assert seen[0] == seen[1]
    assert seen[0][0] == ["user1@example.com", "user7@example.com"]
    statuses = [re.search(r"status=(\S+)", line)[1] for line in seen[0][2]]
    assert sorted(statuses) == ["cancelled", "deadlineExceeded", "ok", "ok"]
