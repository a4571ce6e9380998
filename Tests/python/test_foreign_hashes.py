"""Tests imports of password hashes of other systems, sign-ins with them, and their replacement, by grpcio."""

import base64
import concurrent.futures

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest

import hashes
from callers import UNAUTHENTICATED, Caller, failure, service_token
from foreign_users import EVERYTHING, reason
from user_calls import UserCalls
from waiting import wait_until

PASSWORD = "corr\u00e9ct h\u00f6rse \U0001f40e"
# The service's own parameters.
OWN = "$argon2id$v=19$m=19456,t=2,p=1$"


def test_users_sign_in_with_the_hashes_of_other_systems_which_are_then_replaced(pb, serve, row):
    service = serve(auth="on", settings={"peer.rate": "none"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        calls = UserCalls(pb, caller.users, service_token(service, EVERYTHING))
        made = {f"{name}@example.com": hashes.make(name, PASSWORD) for name in hashes.MAKERS}
        results = calls.imports(*[row(email=email, password_hash=text) for email, text in made.items()])
        failed = [email for email, result in zip(made, results, strict=True) if result.HasField("status")]
        assert failed == []

        def stored():
            return {user.email: user.password_hash for user in calls.export(password_hashes=True)}

        assert stored() == made

        def signs_in(email):
            refused = failure(lambda: caller.sign_in(email, PASSWORD + "x"))[:2]
            assert refused == (UNAUTHENTICATED, "CREDENTIALS_INVALID"), email
            assert caller.sign_in(email, PASSWORD).access_token, email

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(signs_in, made))
            # The hash is replaced after the answer.
            wait_until(lambda: all(text.startswith(OWN) for text in stored().values()))
            list(pool.map(signs_in, made))


SALT, KEY = base64.b64encode(bytes(16)).decode(), base64.b64encode(bytes(32)).decode()
PLAIN = f"{SALT.rstrip('=')}${KEY.rstrip('=')}"


@pytest.mark.parametrize("text, fault", [
    ("$2b$31$" + "A" * 53, "bcrypt cost is 31; it must be 4 to 14"),
    (f"$scrypt$ln=30,r=8,p=1${PLAIN}", "scrypt log2(N) is 30; it must be 1 to 21"),
    (f"$scrypt$ln={1 << 30},r=8,p=1${SALT}${KEY}", "scrypt N is 1073741824; it must be 2 to 2097152"),
    (f"scrypt:{1 << 30}:8:1$salt${'00' * 64}", "scrypt N is 1073741824; it must be 2 to 2097152"),
    (f"$pbkdf2-sha256$i=1000000000,l=32${PLAIN}", "pbkdf2 iterations is 1000000000; it must be 1 to 3000000"),
    (f"pbkdf2_sha256$1000000000$salt${KEY}", "pbkdf2 iterations is 1000000000; it must be 1 to 3000000"),
    (f"$argon2id$v=19$m=4194304,t=2,p=1${PLAIN}", "argon2 memory in KiB is 4194304; it must be 8 to 524288")])
def test_a_hash_that_costs_too_much_is_refused_with_the_reason(calls, row, text, fault):
    result, = calls.imports(row(email="ada@example.com", password_hash=text))
    bad, = [bad for detail in result.status.details for bad in [BadRequest()] if detail.Unpack(bad)]
    violation, = bad.field_violations
    assert (violation.field, violation.reason, violation.description) == ("password_hash", "OUT_OF_RANGE", fault)
    assert calls.export() == []


def test_a_password_in_the_clear_is_hashed_and_keeps_no_rule_for_new_ones(pb, serve, row):
    service = serve(auth="on", settings={"peer.rate": "none"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        calls = UserCalls(pb, caller.users, service_token(service, EVERYTHING))
        emails = [f"user{number}@example.com" for number in range(20)]
        results = calls.imports(
            *[row(email=email, password=f"pw{number}") for number, email in enumerate(emails)],
            row(email="both@example.com", password="pw", password_hash=hashes.make("md5", "pw")))
        assert [reason(result) for result in results] == [{}] * 20 + [
            {"": "INVALID_REQUEST", "password": "ALREADY_USED"}]
        assert all(user.password_hash.startswith(OWN) for user in calls.export(password_hashes=True))
        for number, email in list(enumerate(emails))[::5]:
            assert caller.sign_in(email, f"pw{number}").access_token
            assert failure(lambda: caller.sign_in(email, "pw"))[0] == UNAUTHENTICATED
