"""An attacker in a process of its own: `flood.py ADDRESS SERVICE METHOD KIND CONNECTIONS STREAMS`.

It opens the connections, begins as many calls on each, reads none of their responses, and prints a line; or repeats the
call for as long as it lives, if there are no streams. It ends when its standard input does.
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
# Each method's longest text field, and the bytes of its largest message. The messages without a field have no 15th.
METHODS = {
    (USERS, "GetUser"): (1, 1_024), (USERS, "CreateUser"): (2, 8_192), (USERS, "ListUsers"): (2, 1_024),
    (USERS, "BulkCreateUsers"): (2, 8_192), (USERS, "UserUpdates"): (3, 8_192),
    (AUTH, "SignIn"): (2, 8_192), (AUTH, "RefreshToken"): (1, 1_024), (AUTH, "RevokeToken"): (1, 1_024),
    (AUTH, "GetJsonWebKeySet"): (15, 1_024),
    (HEALTH, "Check"): (1, 1_024), (HEALTH, "List"): (15, 1_024), (HEALTH, "Watch"): (1, 1_024),
    **{(service, "ServerReflectionInfo"): (1, 4_096) for service in REFLECTION},
}

MANY = {"BulkCreateUsers", "UserUpdates", "ServerReflectionInfo"}


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
    """A string field of so many bytes."""
    return bytes([number << 3 | 2]) + varint(length) + b"x" * length


@functools.cache
def compressed(payload):
    return message(gzip.compress(payload), flag=1)


def body_of(service, method, kind, name):
    """What each call sends, and whether that is all of its request."""
    number, limit = METHODS[service, method]
    if kind == "bomb":
        return compressed(text(number, BOMB)), False
    if kind == "long":
        # As much as the window of a stream permits of a message that is longer.
        return b"\0" + BOMB.to_bytes(4, "big") + bytes(65_000), False
    wrap = compressed if kind == "compressed" else message
    if kind == "empty":
        return message() * 1_000, False
    if method == "BulkCreateUsers":
        rows = [field(1, f"{name}.{row}@example.com") + text(2, 256) for row in range(20)]
        return b"".join(wrap(row) for row in rows), False
    if method == "ServerReflectionInfo":
        # Each is answered with all that is sent, twice, and with a file. What is not read for want of room for more answers
        # holds back the connection's window, so that more than one as it is would not be sent.
        return wrap(text(1, limit - 100) + field(4, "user.v1.UserService")) * (4 if kind == "compressed" else 1), False
    # The longest that is permitted, of which the last byte never comes where it is sent as it is.
    longest = text(number, limit - 3)
    return (compressed(longest), True) if kind == "compressed" else (message(longest)[:-1], False)


def begin(client, service, method, kind, name, streams):
    """Begins the calls, as the server's windows permit and its refusals leave room."""
    encoding = None if kind in ("long", "plain") else "gzip"
    for stream in range(1, 2 * streams, 2):
        body, is_whole = body_of(service, method, kind, f"{name}.{stream}")
        client.headers(stream, call_of(service, method, grpc_encoding=encoding))
        client.upload(stream, body, end=is_whole)
    client.round_trip()


def repeat(client, service, method):
    """Makes the call again and again. Returns how often, once standard input has ended."""
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
