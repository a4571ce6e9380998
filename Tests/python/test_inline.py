"""GetUser is answered in one of two ways, and nobody can tell which: the same bytes, headers and lines of the log."""

import gzip
import re
import uuid

from test_metrics import calls

import frames
from frames import field, message, request

UNKNOWN_FIELD = field(15, "?")


def requests(user_id):
    """Names, and the headers and frames of requests that the short way takes, and that it leaves to the long one."""
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
    """The whole response to a request whose last piece ends the stream if `end`; if not, an empty frame does."""
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


def test_both_ways_answer_alike(serve, connect):
    inline = serve()
    task = serve(database=inline.database, settings={"grpc.inline": "false"})
    clients = [connect(inline.address), connect(task.address)]
    user_id = create(clients[0])
    stream = 3
    for name, headers, pieces in requests(user_id):
        for end in (True, False):
            short, long = (ask(client, stream, headers, pieces, end) for client in clients)
            assert short == long, name
            stream += 2


def test_both_ways_keep_to_the_limit_of_responses(serve, connect):
    small = {"grpc.max.send.msg.size": 60}
    user_id = create(connect((first := serve()).address))
    answers = []
    for inline in ("true", "false"):
        service = serve(database=first.database, settings={**small, "grpc.inline": inline})
        blocks, body, reset = ask(connect(service.address), 1, {}, [message(field(1, user_id))], True)
        # The handler's headers may be on their way before its message turns out to be too large.
        fields = {name: value for block in blocks for name, value in block.items()}
        answers.append((fields, body, reset))
    assert answers[0] == answers[1]
    assert answers[0][0]["grpc-status"] == "8"


def lines(service):
    """What the log says of calls of GetUser, without what differs from call to call."""
    service.process.send_signal(15)
    _, errors = service.process.communicate(timeout=60)
    calls = [line for line in errors.splitlines() if "GetUser" in line]
    for pattern in (r"^\S+", r"duration_ms=\S+", r"peer=\S+", r"request_id=[0-9a-f]{16}\b", r"error_id=\S+"):
        calls = [re.sub(pattern, "", line) for line in calls]
    return calls


def test_both_ways_log_alike(serve, connect):
    """Also the principal, and who is refused."""
    logs = []
    for inline in ("true", "false"):
        service = serve("--log-level", "info", settings={"grpc.inline": inline})
        client = connect(service.address)
        user_id = create(client)
        for stream, (_, headers, pieces) in enumerate(requests(user_id)):
            ask(client, 3 + 2 * stream, headers, pieces, True)
        logs.append([line.replace(user_id, "ID") for line in lines(service)])
    assert logs[0] == logs[1] and len(logs[0]) == 17
    assert sum("status=ok" in line for line in logs[0]) == 9
    assert any("request_id=one-2_3.4" in line for line in logs[0])


def test_both_ways_count_alike(serve, connect):
    """The metrics of calls, of those that are answered, fail and are declined by the short way."""
    counts = []
    for inline in ("true", "false"):
        service = serve("--metrics-listen", "127.0.0.1:0", settings={"grpc.inline": inline})
        client = connect(service.address)
        user_id = create(client)
        for stream, (_, headers, pieces) in enumerate(requests(user_id)):
            ask(client, 3 + 2 * stream, headers, pieces, True)
        counts.append(calls(service, "user.v1.UserService/GetUser"))
    assert counts[0] == counts[1]
    started, ended = counts[0]
    assert started == sum(ended.values()) == 17 and ended["OK"] == 9
