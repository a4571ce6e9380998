"""Who may call: tokens made by joserfc, which shares no code with the service, and calls by grpcio."""

import base64
import contextlib
import hmac
import json
import os
import sqlite3
import subprocess
import threading
import time

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

import conftest

TIMEOUT = 60
ISSUER = "https://issuer.example"
AUDIENCE = "user-service"
ALGORITHMS = ["EdDSA", "ES256", "RS256", "HS256"]

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture(scope="module", params=["inline", "task"])
def answering(request):
    return request.param


def failure(call):
    """The status code and the reason that a call ends with, and how long to wait before the next."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    if raised.value.code() == UNAUTHENTICATED:
        assert raised.value.details() in ("Invalid token", "Invalid email or password")
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    status = rpc_status.from_call(raised.value)
    for detail in status.details if status else []:
        for message in (info, retry):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    return raised.value.code(), info.reason, retry.retry_delay.ToMilliseconds()


def run(*arguments):
    return subprocess.run(
        [conftest.PROGRAM, *arguments], capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)


def service_token(service, scope="users:read,users:write", subject="billing", *more):
    result = run("token", "issue", "--database", service.database, "--subject", subject, "--scope", scope, *more)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def bearer(token):
    return [("authorization", f"Bearer {token}")]


class Caller:
    """Calls with a token, or without."""

    def __init__(self, pb, channel):
        self.pb, self.users, self.auth = pb, pb.Stub(channel), pb.AuthStub(channel)

    def create(self, email="ada@example.com", password="correct horse", token=None):
        return self.users.CreateUser(
            self.pb.CreateUserRequest(email=email, password=password), timeout=TIMEOUT,
            metadata=bearer(token) if token else None)

    def get(self, user_id, token=None, metadata=None):
        return self.users.GetUser(
            self.pb.GetUserRequest(user_id=user_id), timeout=TIMEOUT,
            metadata=metadata or (bearer(token) if token else None))

    def list(self, token=None):
        return list(self.users.ListUsers(
            self.pb.ListUsersRequest(), timeout=TIMEOUT, metadata=bearer(token) if token else None))

    def bulk(self, token=None):
        return self.users.BulkCreateUsers(
            iter([self.pb.CreateUserRequest(email="bulk@example.com")]), timeout=TIMEOUT,
            metadata=bearer(token) if token else None)

    def update(self, user_id, token=None, **changes):
        updates = iter([self.pb.UserUpdateRequest(user_id=user_id, **changes)])
        return list(self.users.UserUpdates(
            updates, timeout=TIMEOUT, metadata=bearer(token) if token else None))

    def sign_in(self, email="ada@example.com", password="correct horse", device=""):
        return self.auth.SignIn(
            self.pb.auth.SignInRequest(email=email, password=password, refresh_token=device), timeout=TIMEOUT)

    def refresh(self, token):
        return self.auth.RefreshToken(self.pb.auth.RefreshTokenRequest(refresh_token=token), timeout=TIMEOUT)

    def revoke(self, token):
        return self.auth.RevokeToken(self.pb.auth.RevokeTokenRequest(refresh_token=token), timeout=TIMEOUT)


@pytest.fixture
def secured(serve):
    return serve(auth="on")


@pytest.fixture
def caller(pb, secured):
    with grpc.insecure_channel(secured.address) as channel:
        yield Caller(pb, channel)


def test_the_seeds_table(secured, caller):
    """Without a token only CreateUser works; with one every method does."""
    ada = caller.create()
    calls = [
        lambda token: caller.get(ada.id, token), caller.list, caller.bulk,
        lambda token: caller.update(ada.id, token, name="Ada"),
    ]
    for call in calls:
        assert failure(lambda: call(None))[:2] == (UNAUTHENTICATED, "TOKEN_MISSING")
    token = service_token(secured)
    for call in calls:
        call(token)
    caller.create("bob@example.com", token=token)


def test_a_user_may_read_and_update_itself_and_nobody_else(caller):
    ada, bob = caller.create(), caller.create("bob@example.com")
    token = caller.sign_in().access_token
    assert caller.get(ada.id, token) == ada
    assert caller.get(ada.id.upper(), token) == ada
    assert caller.update(ada.id, token, name="Ada")[0].name == "Ada"
    # Authorisation comes before validation: what is not its own is denied, be it there or not, right or wrong.
    for other in [bob.id, "0" * 8 + ada.id[8:], "", "nonsense"]:
        assert failure(lambda: caller.get(other, token))[:2] == (DENIED, "PERMISSION_DENIED")
        assert failure(lambda: caller.update(other, token, email="?"))[:2] == (DENIED, "PERMISSION_DENIED")
    for call in [caller.list, caller.bulk]:
        assert failure(lambda: call(token))[:2] == (DENIED, "PERMISSION_DENIED")


@pytest.mark.parametrize("scope, allowed", [
    ("users:read", {"get", "list"}), ("users:write", {"bulk", "update"}),
    ("users:read,users:write", {"get", "list", "bulk", "update"})])
def test_scopes(secured, caller, scope, allowed):
    ada = caller.create()
    token = service_token(secured, scope)
    calls = {
        "get": lambda: caller.get(ada.id, token), "list": lambda: caller.list(token),
        "bulk": lambda: caller.bulk(token), "update": lambda: caller.update(ada.id, token, name="x"),
    }
    for name, call in calls.items():
        if name in allowed:
            call()
        else:
            assert failure(call)[:2] == (DENIED, "PERMISSION_DENIED")


def test_public_methods_take_no_notice_of_a_token_that_is_no_good(caller):
    caller.create(token="nonsense")
    caller.sign_in()
    assert len(caller.auth.GetJsonWebKeySet(
        caller.pb.auth.GetJsonWebKeySetRequest(), timeout=TIMEOUT, metadata=bearer("x")).keys) == 1


@pytest.mark.parametrize("value", [
    "", "Bearer", "Basic YTpi", "Bearer a.b", "Bearer a.b.c.d", "bearer", "Bearer ....", "Token x",
    "Bearer " + "." * 100, "Bearer  x.y.z", "Bearer a.b.c d", "Bearerx.y.z"])
def test_malformed_authorization(caller, value):
    code, reason, _ = failure(lambda: caller.get("x", metadata=[("authorization", value)]))
    assert (code, reason) == (UNAUTHENTICATED, "TOKEN_MALFORMED")


def test_two_authorizations_are_none(secured, caller):
    token = service_token(secured)
    assert failure(lambda: caller.get("x", metadata=bearer(token) * 2))[:2] == (UNAUTHENTICATED, "TOKEN_MALFORMED")


def test_the_scheme_is_in_any_letter_case(secured, caller):
    ada = caller.create()
    for scheme in ["bearer", "BEARER", "bEaReR"]:
        caller.get(ada.id, metadata=[("authorization", f"{scheme} {service_token(secured)}")])


# An outside issuer, whose keys are made here.


def make_key(algorithm, kid):
    options = {"kid": kid, "alg": algorithm, "use": "sig"}
    return {
        "EdDSA": lambda: OKPKey.generate_key("Ed25519", options),
        "ES256": lambda: ECKey.generate_key("P-256", options),
        "RS256": lambda: RSAKey.generate_key(2048, options),
        "HS256": lambda: OctKey.generate_key(256, options),
    }[algorithm]()


def make_token(key, algorithm=None, header=None, **claims):
    now = int(time.time())
    body = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "reporting", "iat": now, "exp": now + 600, "scope": "users:read",
        **claims}
    body = {name: value for name, value in body.items() if value is not None}
    algorithm = algorithm or key.get("alg")
    head = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt", **(header or {})}
    head = {name: value for name, value in head.items() if value is not None}
    return jwt.encode(head, body, key, algorithms=[algorithm])


def encode(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def write_keys(path, keys):
    # As a whole, as whoever replaces a file that is read meanwhile has to.
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({
        "keys": [key.as_dict(private=isinstance(key, OctKey)) for key in keys]}))
    temporary.chmod(0o600)
    os.replace(temporary, path)


class Outside:
    def __init__(self, caller, keys, ada):
        self.caller, self.keys, self.ada = caller, keys, ada

    def reads(self, token):
        self.caller.get(self.ada.id, token)

    def refused(self, token):
        code, reason, _ = failure(lambda: self.caller.get(self.ada.id, token))
        assert code == UNAUTHENTICATED
        return reason


@pytest.fixture(scope="module")
def outside(pb, tmp_path_factory, answering):
    folder = tmp_path_factory.mktemp("outside")
    keys = {algorithm: make_key(algorithm, f"key-{algorithm}") for algorithm in ALGORITHMS}
    write_keys(folder / "jwks.json", keys.values())
    with conftest.starter(folder, answering) as start:
        service = start(auth="on", settings={
            "auth.jwks.file": folder / "jwks.json", "auth.jwks.issuer": ISSUER,
            "auth.jwks.algorithms": ",".join(ALGORITHMS),
            # Far more invalid tokens than one address may present.
            "peer.rate": "none"})
        with grpc.insecure_channel(service.address) as channel:
            caller = Caller(pb, channel)
            yield Outside(caller, keys, caller.create())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tokens_of_another_implementation(outside, algorithm):
    key = outside.keys[algorithm]
    outside.reads(make_token(key))
    outside.reads(make_token(key, aud=["another", AUDIENCE], nbf=int(time.time()), scope="openid users:read"))
    outside.reads(make_token(key, iat=None, header={"typ": "application/AT+JWT"}))
    # One key for the algorithm: its name may be left out.
    outside.reads(make_token(key, header={"kid": None}))


def test_the_newer_name_of_the_algorithm(outside):
    """RFC 9864 calls EdDSA with this curve Ed25519."""
    key = outside.keys["EdDSA"]
    head = {"alg": "Ed25519", "kid": key.kid, "typ": "at+jwt"}
    claims = json.loads(base64.urlsafe_b64decode(make_token(key).split(".")[1] + "=="))
    bare = OKPKey.import_key({name: value for name, value in key.as_dict(private=True).items() if name != "alg"})
    outside.reads(jwt.encode(head, claims, bare, algorithms=["Ed25519"]))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_claims(outside, algorithm):
    key, now = outside.keys[algorithm], int(time.time())
    for claims, reason in [
        ({"iss": "https://another.example"}, "TOKEN_UNTRUSTED"),
        ({"iss": "user-service"}, "TOKEN_UNTRUSTED"),
        ({"aud": "another"}, "TOKEN_UNTRUSTED"),
        ({"aud": []}, "TOKEN_UNTRUSTED"),
        ({"exp": now - 31}, "TOKEN_EXPIRED"),
        ({"exp": -1}, "TOKEN_EXPIRED"),
        ({"nbf": now + 90}, "TOKEN_NOT_YET_VALID"),
        ({"exp": None}, "TOKEN_MALFORMED"),
        ({"iss": None}, "TOKEN_MALFORMED"),
        ({"aud": None}, "TOKEN_MALFORMED"),
        ({"sub": None}, "TOKEN_MALFORMED"),
        ({"sub": ""}, "TOKEN_MALFORMED"),
        ({"sub": "x" * 256}, "TOKEN_MALFORMED"),
        ({"exp": 10**300}, "TOKEN_MALFORMED"),
        ({"nbf": 10**300}, "TOKEN_MALFORMED"),
        # About where microseconds no longer fit in 64 bits.
        *[({"exp": number}, "TOKEN_MALFORMED") for number in (9.5e12, 9223372036854, 9223372036830, 1e12)],
        ({"exp": -9.5e12}, "TOKEN_MALFORMED"),
        ({"nbf": 9.5e12}, "TOKEN_MALFORMED"),
    ]:
        assert outside.refused(make_token(key, **claims)) == reason, claims
    # Clocks may differ by 30 seconds.
    outside.reads(make_token(key, exp=now - 10))
    outside.reads(make_token(key, nbf=now + 20))
    # What this service's own claims are called may mean anything to others.
    outside.reads(make_token(key, sid=7, epoch="2025", jti=5, iat=9.5e12, scope=["users:read", "openid"]))


def test_an_outside_user_reads_itself_without_scopes(outside):
    outside.reads(make_token(outside.keys["EdDSA"], sub=outside.ada.id, scope=None))


def test_no_algorithm_but_the_keys_own(outside):
    """`alg: none`, and a public key used as an HMAC secret: RFC 8725, section 2.1."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "reporting", "exp": now + 600, "scope": "users:read"}
    for algorithm in ["none", "None", "NONE", "", "HS512", "ES384", "PS256", None]:
        for signature in ["", "AAAA"]:
            for kid in ["key-EdDSA", None]:
                token = f"{encode({'alg': algorithm, 'kid': kid, 'typ': 'at+jwt'})}.{encode(claims)}.{signature}"
                assert outside.refused(token) in ("TOKEN_UNTRUSTED", "TOKEN_MALFORMED")
    for algorithm in ["EdDSA", "ES256", "RS256"]:
        public = outside.keys[algorithm]
        for secret in [public.as_pem(private=False), public.as_der(private=False)]:
            # By hand: joserfc refuses to do that.
            for kid in [public.kid, "key-HS256", None]:
                signed = f"{encode({'alg': 'HS256', 'kid': kid, 'typ': 'at+jwt'})}.{encode(claims)}"
                tag = hmac.digest(secret, signed.encode(), "sha256")
                token = f"{signed}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"
                assert outside.refused(token) == "TOKEN_UNTRUSTED"
    # The right key under the name of another.
    for algorithm in ALGORITHMS:
        for other in ALGORITHMS:
            if other != algorithm:
                token = make_token(outside.keys[algorithm], header={"kid": f"key-{other}"})
                assert outside.refused(token) == "TOKEN_UNTRUSTED"


def test_keys_that_a_token_brings_along_are_not_looked_at(outside):
    mine = make_key("EdDSA", "key-EdDSA")
    assert outside.refused(make_token(mine)) == "TOKEN_UNTRUSTED"
    for header in [
        {"jwk": mine.as_dict(private=False)}, {"jku": "http://127.0.0.1:1/jwks.json"},
        {"x5u": "http://127.0.0.1:1/x.pem"},
    ]:
        claims = make_token(mine).split(".")[1]
        head = encode({"alg": "EdDSA", "kid": "key-EdDSA", "typ": "at+jwt", **header})
        assert outside.refused(f"{head}.{claims}.{'A' * 86}") == "TOKEN_UNTRUSTED"


@pytest.mark.parametrize("kid", [
    "../../etc/passwd", "/dev/null", "key-EdDSA\u0000", "key-EdDSA' OR '1'='1", "", "x" * 4_000, "\u202e", "*"])
def test_a_key_id_is_only_a_name(outside, kid):
    assert outside.refused(make_token(outside.keys["EdDSA"], header={"kid": kid})) == "TOKEN_UNTRUSTED"


def test_headers_that_must_be_understood_are_not(outside):
    claims = make_token(outside.keys["EdDSA"]).split(".")[1]
    head = encode({"alg": "EdDSA", "kid": "key-EdDSA", "typ": "at+jwt", "crit": ["b64"], "b64": False})
    assert outside.refused(f"{head}.{claims}.{'A' * 86}") == "TOKEN_UNTRUSTED"


def sign(key, head, claims):
    """A token of these very texts, whose signature is right."""
    signed = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (head, claims))
    tag = hmac.digest(key.raw_value, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"


def test_members_that_a_token_has_twice_are_refused(outside):
    """RFC 7515, section 4, and RFC 7519, section 4: parsers differ in which of the two they believe."""
    head = '{"alg": "HS256", "kid": "key-HS256", "typ": "at+jwt"%s}'
    claims = f'{{"iss": "{ISSUER}", "aud": "{AUDIENCE}", "sub": "reporting", "exp": {int(time.time()) + 600}%s}}'
    key = outside.keys["HS256"]
    outside.reads(sign(key, head % "", claims % ', "scope": "users:read"'))
    for more in [', "scope": "users:read", "scope": ""', ', "scope": "", "sc\\u006fpe": "users:read"',
                 ', "scope": "users:read", "sub": "reporting"', ', "scope": "users:read", "x": {"y": 1, "y": 1}']:
        assert outside.refused(sign(key, head % "", claims % more)) == "TOKEN_MALFORMED", more
    for more in [', "alg": "HS256"', ', "kid": "key-HS256"', ', "x": 1, "x": 1']:
        token = sign(key, head % more, claims % ', "scope": "users:read"')
        assert outside.refused(token) == "TOKEN_MALFORMED", more


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_only_access_tokens_count(outside, algorithm):
    """RFC 9068, section 4: an ID token of the same issuer may have the same `aud`."""
    for typ in ["JWT", "jwt", None, "", "dpop+jwt", "logout+jwt", "secevent+jwt", "at+jwt2", "application/jwt"]:
        # joserfc has a `typ` of its own where there is none.
        if typ is None and algorithm != "HS256":
            continue
        if typ is None:
            token = sign(outside.keys["HS256"], '{"alg": "HS256", "kid": "key-HS256"}', json.dumps(
                {"iss": ISSUER, "aud": AUDIENCE, "sub": "reporting", "exp": int(time.time()) + 600, "scope": "users:read"}))
        else:
            token = make_token(outside.keys[algorithm], header={"typ": typ})
        assert outside.refused(token) == "TOKEN_UNTRUSTED", typ


def test_tokens_that_are_good_for_too_long_are_refused(outside):
    key, now, day = outside.keys["EdDSA"], int(time.time()), 86_400
    outside.reads(make_token(key, iat=now, exp=now + day))
    outside.reads(make_token(key, iat=None, exp=now + day))
    for claims in [
        {"iat": now, "exp": now + day + 60}, {"iat": now - day, "exp": now + 60}, {"iat": None, "exp": now + day + 60},
        # What was given in the future is not given yet.
        {"iat": now + 10 * day, "exp": now + 10 * day + 60}, {"iat": 0}, {"exp": 4_000_000_000},
    ]:
        assert outside.refused(make_token(key, **claims)) == "TOKEN_UNTRUSTED", claims


def test_outside_rules_are_settings(pb, serve, tmp_path):
    key = make_key("EdDSA", "a")
    write_keys(tmp_path / "jwks.json", [key])
    service = serve(auth="on", settings={
        "auth.jwks.file": tmp_path / "jwks.json", "auth.jwks.issuer": ISSUER, "auth.jwks.type": "any",
        "auth.jwks.max.lifetime": "5m", "auth.jwks.users": "false"})
    now = int(time.time())
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        for typ in ["JWT", "at+jwt"]:
            caller.get(ada.id, make_token(key, exp=now + 300, header={"typ": typ}))
        assert failure(lambda: caller.list(make_token(key, exp=now + 300, header={"typ": "dpop+jwt"})))[0] == UNAUTHENTICATED
        assert failure(lambda: caller.list(make_token(key, exp=now + 600)))[:2] == (UNAUTHENTICATED, "TOKEN_UNTRUSTED")
        # Not the user, though the subject is the user's id: scopes count, and nothing else.
        own = make_token(key, sub=ada.id, scope=None, exp=now + 300)
        assert failure(lambda: caller.get(ada.id, own))[:2] == (DENIED, "PERMISSION_DENIED")
        assert failure(lambda: caller.update(ada.id, own, name="x"))[:2] == (DENIED, "PERMISSION_DENIED")
        caller.get(ada.id, make_token(key, sub=ada.id, exp=now + 300))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_truncated_and_long_tokens(outside, algorithm):
    token = make_token(outside.keys[algorithm])
    for length in range(0, len(token), 17):
        if token[:length]:
            assert outside.refused(token[:length]) in ("TOKEN_MALFORMED", "TOKEN_UNTRUSTED")
    # A good one that fits in a request's header fields is good.
    outside.reads(make_token(outside.keys[algorithm], padding="x" * 4_500))
    # 8 KiB do not fit: the transport refuses the request, and goes on.
    code, *_ = failure(lambda: outside.caller.get("x", make_token(outside.keys[algorithm], padding="x" * 8_192)))
    assert code == EXHAUSTED
    outside.reads(token)


def test_deeply_nested_and_odd_json_is_malformed(outside):
    head = encode({"alg": "EdDSA", "kid": "key-EdDSA"})

    def raw(text):
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    for claims in [raw("[" * 2_000), raw('{"iss":' * 500), raw("null"), raw("1"), raw('"x"'), raw("{}"), raw("{"), "", "%%"]:
        assert outside.refused(f"{head}.{claims}.{'A' * 86}") == "TOKEN_MALFORMED"


def test_hs256_has_to_be_asked_for(pb, serve, tmp_path):
    key = make_key("HS256", "shared")
    write_keys(tmp_path / "jwks.json", [key, make_key("EdDSA", "other")])
    service = serve(
        auth="on", settings={"auth.jwks.file": tmp_path / "jwks.json", "auth.jwks.issuer": ISSUER})
    with grpc.insecure_channel(service.address) as channel:
        code, reason, _ = failure(lambda: Caller(pb, channel).list(make_token(key)))
        assert (code, reason) == (UNAUTHENTICATED, "TOKEN_UNTRUSTED")


def test_a_key_set_is_read_again_when_it_changes(pb, serve, tmp_path):
    old, new = make_key("ES256", "old"), make_key("ES256", "new")
    write_keys(tmp_path / "jwks.json", [old])
    service = serve(
        "--log-level", "critical", auth="on",
        settings={"auth.jwks.file": tmp_path / "jwks.json", "auth.jwks.issuer": ISSUER})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)

        def works(token):
            try:
                caller.list(token)
                return True
            except grpc.RpcError:
                return False

        before, after = make_token(old), make_token(new)
        assert works(before) and not works(after)
        # A broken file changes nothing: the call with an unknown key has it looked at.
        (tmp_path / "jwks.json").write_text("{")
        assert not works(after)
        assert works(before)
        write_keys(tmp_path / "jwks.json", [new])
        assert works(after)
        # Also the one that was remembered.
        assert not works(before)
        # An issuer that has withdrawn its keys is not trusted any more.
        write_keys(tmp_path / "jwks.json", [])
        assert not works(before)
        assert not works(after)


def test_an_odd_key_is_named_and_the_others_count(pb, tmp_path):
    key = make_key("EdDSA", "good")
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [
        {"kid": "odd"}, 7, None, key.as_dict(private=False), {"kty": "oct", "k": "c2hvcnQ", "kid": "a\nb"}]}))
    settings = {"USER_SERVICE_AUTH_JWKS_FILE": str(tmp_path / "jwks.json"), "USER_SERVICE_AUTH_JWKS_ISSUER": ISSUER}
    with subprocess.Popen(
        [conftest.PROGRAM, "serve", "--listen", "127.0.0.1:0", "--database", str(tmp_path / "users.db"), "--log-format",
         "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **settings}) as process:
        address = process.stdout.readline().split("listening on ")[1].split(",")[0]
        with grpc.insecure_channel(address) as channel:
            assert Caller(pb, channel).list(make_token(key)) == []
        process.terminate()
        _, log = process.communicate(timeout=TIMEOUT)
    lines = [json.loads(line) for line in log.splitlines()]
    ignored = {line["key"]: line["reason"] for line in lines if "key" in line and "reason" in line}
    assert list(ignored) == ["0 (kid 'odd')", "1", "2", "4 (kid 'a?b')"]
    assert "kty" in ignored["0 (kid 'odd')"] and all(ignored.values())


@pytest.mark.parametrize("overlap", ["1h", "0s"])
def test_a_token_of_a_new_key_is_good_at_once(pb, secured, caller, overlap):
    """`keys rotate && token issue`, and a call: no wait in between."""
    caller.list(service_token(secured))
    for _ in range(3):
        assert run("keys", "rotate", "--database", secured.database, "--overlap", overlap).returncode == 0
        caller.list(service_token(secured))


def test_made_up_keys_cost_little(secured, caller):
    """Each has the files looked at, but a few times a second for all of them, and a good token is not held up."""
    token = service_token(secured)
    claims = token.split(".")[1]
    made_up = [f"{encode({'alg': 'EdDSA', 'kid': str(number), 'typ': 'at+jwt'})}.{claims}.AAAA" for number in range(64)]
    results, lock = [], threading.Lock()

    def call(text):
        answer = failure(lambda: caller.list(text))[:2]
        with lock:
            results.append(answer)

    threads = [threading.Thread(target=call, args=(text,)) for text in made_up]
    for thread in threads:
        thread.start()
    caller.list(token)
    for thread in threads:
        thread.join()
    assert results == [(UNAUTHENTICATED, "TOKEN_UNTRUSTED")] * len(made_up)
    caller.list(token)


# Signing in.


def test_tokens_can_be_verified_with_the_published_keys(secured, caller):
    ada = caller.create()
    tokens = caller.sign_in()
    keys = caller.auth.GetJsonWebKeySet(caller.pb.auth.GetJsonWebKeySetRequest(), timeout=TIMEOUT).keys
    key = OKPKey.import_key({field.name: value for field, value in keys[0].ListFields()})
    token = jwt.decode(tokens.access_token, key, algorithms=["EdDSA"])
    assert token.header["kid"] == keys[0].kid and token.header["typ"] == "at+jwt"
    claims = token.claims
    assert (claims["sub"], claims["iss"], claims["aud"]) == (ada.id, "user-service", "user-service")
    assert claims["exp"] - claims["iat"] == 900
    assert claims["exp"] == tokens.access_token_expires_at.seconds
    assert "scope" not in claims


def test_refusals_of_a_sign_in_are_alike(secured, caller):
    admin = service_token(secured)
    caller.create()
    caller.create("nopass@example.com", password="")
    off = caller.create("off@example.com")
    caller.update(off.id, admin, status=2)
    answers = {
        failure(lambda: caller.sign_in(email, password))
        for email, password in [
            ("ada@example.com", "wrong horse"), ("ada@example.com", "x"), ("nobody@example.com", "correct horse"),
            ("nopass@example.com", "correct horse"), ("off@example.com", "correct horse")]}
    assert answers == {(UNAUTHENTICATED, "CREDENTIALS_INVALID", 0)}
    for email, password in [("", ""), ("ada", "x"), ("ada@example.com", ""), ("ada@example.com", "x" * 1_025)]:
        assert failure(lambda: caller.sign_in(email, password))[1] == "INVALID_REQUEST"


def test_guessing_is_slowed_down_and_a_restart_does_not_help(pb, serve, tmp_path):
    database = tmp_path / "guessed.db"
    for restart in range(2):
        service = serve(auth="on", database=database)
        with grpc.insecure_channel(service.address) as channel:
            caller = Caller(pb, channel)
            if not restart:
                caller.create()
                for _ in range(5):
                    assert failure(lambda: caller.sign_in(password="wrong horse"))[0] == UNAUTHENTICATED
            code, reason, wait = failure(caller.sign_in)
            assert (code, reason) == (EXHAUSTED, "TOO_MANY_ATTEMPTS")
            assert 0 < wait <= (60_000 if restart else 1_000)
        assert service.stop()[0] == 0
        if not restart:
            conftest.lengthen_waits(database)


@pytest.fixture
def two_networks(pb, serve):
    """A service, and callers of it from two networks."""
    service = serve(auth="on", listen=("127.0.0.1:0", "[::1]:0"), settings={"peer.rate": "none"})
    with grpc.insecure_channel(service.addresses[0]) as here, grpc.insecure_channel(service.addresses[1]) as there:
        yield service, Caller(pb, here), Caller(pb, there)


def test_a_stranger_does_not_keep_the_right_password_out(two_networks):
    service, stranger, home = two_networks
    home.create()
    for _ in range(5):
        assert failure(lambda: stranger.sign_in(password="wrong horse"))[1] == "CREDENTIALS_INVALID"
        home.sign_in()
    conftest.lengthen_waits(service.database)
    assert failure(stranger.sign_in)[1] == "TOO_MANY_ATTEMPTS"
    home.sign_in()


def test_right_sign_ins_at_once_do_not_refuse_each_other(caller):
    caller.create()
    failures = []

    def sign_in():
        try:
            caller.sign_in()
        except grpc.RpcError as error:
            failures.append(error)

    threads = [threading.Thread(target=sign_in) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def disable(service, caller, user_id):
    """As after 100 failures: one more makes it so, of an account that has had 99."""
    with contextlib.closing(sqlite3.connect(service.database)) as connection, connection:
        connection.execute(
            "INSERT INTO sign_in_accounts VALUES (?, 99, ?)",
            (bytes.fromhex(user_id.replace("-", "")), int(time.time() * 1e6)))
    assert failure(lambda: caller.sign_in(password="wrong horse"))[1] == "CREDENTIALS_INVALID"
    assert failure(caller.sign_in)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "SIGN_IN_DISABLED")


def test_100_failures_end_sign_in_but_not_for_a_known_device(two_networks):
    service, stranger, home = two_networks
    ada = home.create()
    device = home.sign_in().refresh_token
    disable(service, stranger, ada.id)
    assert failure(home.sign_in)[1] == "SIGN_IN_DISABLED"
    home.sign_in(device=device)
    home.sign_in()


def test_an_operator_unlocks_a_user(two_networks):
    service, stranger, home = two_networks
    ada = home.create()
    admin = service_token(service)
    for unlock in [
        lambda: run("users", "unlock", ada.id, "--database", service.database),
        lambda: home.update(ada.id, admin, status=1),
        lambda: home.update(ada.id, admin, password="correct horse"),
    ]:
        disable(service, stranger, ada.id)
        assert failure(home.sign_in)[1] == "SIGN_IN_DISABLED"
        done = unlock()
        if isinstance(done, subprocess.CompletedProcess):
            assert done.returncode == 0
            assert done.stdout == f"unlocked {ada.id}: 100 failed attempts in a row are forgotten\n"
        home.sign_in()
        stranger.sign_in()


@pytest.mark.parametrize("user, database, code", [
    ("01a20e13-53dc-756f-b844-595a9b132cb5", None, 3), ("ada", None, 3), ("ada", "/nonexistent.db", 1)])
def test_what_cannot_be_unlocked(secured, user, database, code):
    done = run("users", "unlock", user, "--database", database or secured.database)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("Error: ")


def test_guesses_through_a_request_id_are_counted(secured, caller):
    request = {"email": "ada@example.com", "request_id": "b1b2c3d4-0000-4000-8000-000000000001"}

    def create(password):
        return caller.users.CreateUser(
            caller.pb.CreateUserRequest(password=password, **request), timeout=TIMEOUT)

    ada = create("correct horse")
    assert create("correct horse") == ada
    for _ in range(5):
        assert failure(lambda: create("wrong horse"))[1] == "INVALID_REQUEST"
    conftest.lengthen_waits(secured.database)
    assert failure(lambda: create("correct horse"))[:2] == (EXHAUSTED, "TOO_MANY_ATTEMPTS")
    assert failure(caller.sign_in)[1] == "TOO_MANY_ATTEMPTS"


@pytest.mark.parametrize("changes", [{"email": "new@example.com"}, {"password": "another horse"}, {"password": ""}])
def test_a_leaked_access_token_does_not_become_the_account(secured, caller, changes):
    ada = caller.create()
    token = caller.sign_in().access_token
    assert failure(lambda: caller.update(ada.id, token, **changes))[:2] == (DENIED, "CURRENT_PASSWORD_REQUIRED")
    for _ in range(5):
        assert failure(lambda: caller.update(ada.id, token, current_password="wrong horse", **changes))[:2] == (
            DENIED, "CURRENT_PASSWORD_WRONG")
    conftest.lengthen_waits(secured.database)
    right = {"current_password": "correct horse", **changes}
    assert failure(lambda: caller.update(ada.id, token, **right))[1] == "TOO_MANY_ATTEMPTS"
    assert failure(caller.sign_in)[1] == "TOO_MANY_ATTEMPTS"
    # A caller who may change everybody needs no password.
    other = caller.create("bob@example.com")
    caller.update(other.id, service_token(secured), password="another horse", email="carl@example.com")
    own = caller.sign_in("carl@example.com", "another horse").access_token
    caller.update(other.id, own, current_password="another horse", **changes)


@pytest.mark.parametrize("password, reason", [
    ("1234567", "TOO_SHORT"), ("пароль", "TOO_SHORT"), ("Password1", "TOO_COMMON"), ("ada.lovelace", "TOO_SIMILAR"),
    ("Ada.Lovelace@example.com", "TOO_SIMILAR"), ("countess1815", "TOO_SIMILAR"), ("User-Service!", "TOO_SIMILAR"),
    ("correct\0horse", "FORBIDDEN_CHARACTER"), ("x" * 1_025, "TOO_LONG")])
def test_passwords_that_are_refused(caller, password, reason):
    with pytest.raises(grpc.RpcError) as raised:
        caller.users.CreateUser(
            caller.pb.CreateUserRequest(email="ada.lovelace@example.com", name="Countess", password=password),
            timeout=TIMEOUT)
    violations = error_details_pb2.BadRequest()
    [detail] = [detail for detail in rpc_status.from_call(raised.value).details if detail.Is(violations.DESCRIPTOR)]
    detail.Unpack(violations)
    assert [(violation.field, violation.reason) for violation in violations.field_violations] == [
        ("password", reason)]


def test_the_shortest_password_is_a_setting(pb, serve):
    service = serve(auth="on", settings={"password.min.length": "15"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        assert failure(caller.create)[1] == "INVALID_REQUEST"
        caller.create(password="correct horse battery")


def test_refresh_and_revoke(caller):
    ada = caller.create()
    first = caller.sign_in()
    second = caller.refresh(first.refresh_token)
    assert caller.refresh(first.refresh_token).refresh_token == second.refresh_token
    caller.get(ada.id, second.access_token)
    caller.revoke(second.refresh_token)
    for token in [first, second]:
        assert failure(lambda: caller.get(ada.id, token.access_token))[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
        assert failure(lambda: caller.refresh(token.refresh_token))[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
    caller.revoke(second.refresh_token)
    for text, reason in [
        ("", "TOKEN_MALFORMED"), ("x" * 64, "TOKEN_UNTRUSTED"), ("x" * 900, "TOKEN_MALFORMED"),
        (first.access_token, "TOKEN_MALFORMED")]:
        assert failure(lambda: caller.refresh(text))[:2] == (UNAUTHENTICATED, reason)
        assert failure(lambda: caller.revoke(text))[:2] == (UNAUTHENTICATED, reason)


def test_an_ended_session_is_over_after_a_restart_too(pb, serve, tmp_path):
    database = tmp_path / "users.db"
    service = serve(auth="on", database=database)
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada, ended, going_on = caller.create(), caller.sign_in(), caller.sign_in()
        caller.revoke(ended.refresh_token)
    assert service.stop()[0] == 0
    service = serve(auth="on", database=database)
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        assert failure(lambda: caller.get(ada.id, ended.access_token))[1] == "TOKEN_REVOKED"
        caller.get(ada.id, going_on.access_token)
        caller.refresh(going_on.refresh_token)


def test_reflection_can_be_private(pb, serve):
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    service = serve(auth="on", settings={"auth.reflection.public": "false"})
    with grpc.insecure_channel(service.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")

        def names(metadata):
            answers = list(stub.ServerReflectionInfo(iter([request]), timeout=TIMEOUT, metadata=metadata))
            return {service.name for service in answers[0].list_services_response.service}

        assert failure(lambda: names(None))[:2] == (UNAUTHENTICATED, "TOKEN_MISSING")
        assert "auth.v1.AuthService" in names(bearer(service_token(service)))


def test_many_refreshes_at_once_give_one_successor(caller):
    caller.create()
    token = caller.sign_in().refresh_token
    successors, lock = set(), threading.Lock()

    def refresh():
        answer = caller.refresh(token)
        with lock:
            successors.add(answer.refresh_token)

    threads = [threading.Thread(target=refresh) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(successors) == 1


@pytest.mark.parametrize("changes", [{"password": "another horse"}, {"password": ""}, {"status": 2}])
def test_a_change_ends_tokens_at_once_and_for_good(pb, serve, tmp_path, changes):
    database = tmp_path / "users.db"
    service = serve(auth="on", database=database)
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        tokens, own = caller.sign_in(), caller.sign_in()
        service_tokens = [
            service_token(service, "", ada.id), service_token(service, "users:read", ada.id)]
        for token in [tokens.access_token, own.access_token, *service_tokens]:
            caller.get(ada.id, token)
        # By the user itself, whose own token ends too.
        caller.update(ada.id, own.access_token, current_password="correct horse", **changes)

    def ended(caller):
        for token in [tokens.access_token, own.access_token, *service_tokens]:
            assert failure(lambda: caller.get(ada.id, token))[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
        assert failure(lambda: caller.refresh(tokens.refresh_token))[0] == UNAUTHENTICATED

    with grpc.insecure_channel(service.address) as channel:
        ended(Caller(pb, channel))
    assert service.stop()[0] == 0
    again = serve(auth="on", database=database)
    with grpc.insecure_channel(again.address) as channel:
        ended(Caller(pb, channel))


def test_a_running_stream_ends_with_its_token(caller):
    ada = caller.create()
    token = caller.sign_in().access_token
    answered = threading.Semaphore(1)

    def updates():
        password = {"password": "another horse", "current_password": "correct horse"}
        for change in [{"name": "Ada"}, password, {"name": "Eve"}]:
            assert answered.acquire(timeout=TIMEOUT)
            yield caller.pb.UserUpdateRequest(user_id=ada.id, **change)

    call = caller.users.UserUpdates(updates(), timeout=TIMEOUT, metadata=bearer(token))
    names = []

    def read():
        for user in call:
            names.append(user.name)
            answered.release()

    assert failure(read)[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
    assert names == ["Ada", "Ada"]


def test_one_address_cannot_sign_up_or_guess_without_end(pb, serve):
    service = serve(auth="on", settings={"peer.rate": "0.001", "peer.burst": "3"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        caller.sign_in()
        failure(lambda: caller.create("nobody"))
        for call in [lambda: caller.create("bob@example.com"), caller.sign_in]:
            code, reason, wait = failure(call)
            assert (code, reason) == (EXHAUSTED, "PEER_LIMIT_EXCEEDED")
            assert 0 < wait <= 1_000_000
        # Nothing else is limited, and neither is a service that may write users.
        token = service_token(service)
        for number in range(10):
            caller.get(ada.id, token)
            caller.create(f"user{number}@example.com", token=token)


# Keys and commands.


def test_a_token_is_issued_before_the_first_start_and_without_the_service(pb, serve, tmp_path):
    database = tmp_path / "new.db"
    missing = run("token", "issue", "--database", str(database), "--subject", "x", "--scope", "users:read")
    assert missing.returncode == 1 and "no such database" in missing.stderr
    assert list(tmp_path.iterdir()) == []
    assert run("migrate", "up", "--database", str(database)).returncode == 0
    token = run("token", "issue", "--database", str(database), "--subject", "x", "--scope", "users:read").stdout.strip()
    assert (tmp_path / "new.db.keys").stat().st_mode & 0o777 == 0o600
    service = serve(auth="on", database=database)
    with grpc.insecure_channel(service.address) as channel:
        assert Caller(pb, channel).list(token) == []


def test_rotating_keys(pb, secured, caller):
    before = service_token(secured)
    caller.list(before)
    rotated = run("keys", "rotate", "--database", secured.database, "--overlap", "1h")
    assert rotated.returncode == 0
    assert [line.split()[2] for line in rotated.stdout.splitlines()[1:]] == ["good", "signs"]
    after = service_token(secured)

    def works(token):
        try:
            caller.list(token)
            return True
        except grpc.RpcError:
            return False

    assert works(after) and works(before)
    run("keys", "rotate", "--database", secured.database, "--overlap", "0s")
    conftest.wait_until(lambda: not works(before))
    assert not works(after)
    conftest.wait_until(lambda: works(service_token(secured)))
    listed = run("keys", "list", "--database", secured.database)
    assert listed.returncode == 0
    secret = json.loads(open(secured.database + ".keys").read())["keys"][-1]
    assert secret["kid"] in listed.stdout and secret["d"] not in listed.stdout


def token_id(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["jti"]


def test_a_token_can_be_revoked_singly(pb, serve, tmp_path):
    database = tmp_path / "users.db"
    service = serve(auth="on", database=database)

    def revoke(*arguments, text=None):
        return subprocess.run(
            [conftest.PROGRAM, "token", "revoke", "--database", str(database), *arguments], capture_output=True, text=True,
            timeout=TIMEOUT, input=text or "")

    def refused(caller, token):
        try:
            caller.get(ada.id, token)
            return False
        except grpc.RpcError as error:
            assert error.code() == UNAUTHENTICATED
            return True

    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        by_id, by_token, other = (service_token(service) for _ in range(3))
        own = caller.sign_in().access_token
        for token in [by_id, by_token, other]:
            caller.get(ada.id, token)
        caller.get(ada.id, own)
        done = revoke("--jti", token_id(by_id))
        assert (done.returncode, done.stdout) == (0, f"revoked token {token_id(by_id)}\n")
        done = revoke("--token-file", "-", text=by_token + "\n")
        assert (done.returncode, done.stdout) == (0, f"revoked token {token_id(by_token)} of billing\n")
        assert "was revoked before" in revoke("--jti", token_id(by_token)).stdout
        assert revoke("--token-file", "-", text=own).returncode == 0
        for token in [by_id, by_token, own]:
            conftest.wait_until(lambda: refused(caller, token))
            assert failure(lambda: caller.get(ada.id, token))[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
        caller.list(other)
        caller.get(ada.id, caller.sign_in().access_token)
    assert service.stop()[0] == 0
    # Also after a restart; and without the service.
    again = serve(auth="on", database=database)
    with grpc.insecure_channel(again.address) as channel:
        caller = Caller(pb, channel)
        assert refused(caller, by_id) and refused(caller, by_token) and refused(caller, own)
        caller.list(other)
    listed = run("token", "list", "--database", str(database))
    assert listed.returncode == 0
    rows = [line.split() for line in listed.stdout.splitlines()]
    assert rows[0] == ["TOKEN", "SUBJECT", "REVOKED", "EXPIRES"] and len(rows) == 4
    assert {row[0]: row[1] for row in rows[1:]} == {
        token_id(by_id): "unknown", token_id(by_token): "billing", token_id(own): ada.id}


def test_tokens_that_cannot_be_revoked(secured, tmp_path):
    def revoke(*arguments):
        result = run("token", "revoke", "--database", secured.database, *arguments)
        return result.returncode, result.stdout + result.stderr

    assert revoke()[0] == 2 and revoke("--jti", "x")[0] == 2
    (tmp_path / "token").write_text(service_token(secured))
    assert revoke("--jti", "A" * 22, "--token-file", str(tmp_path / "token"))[0] == 2
    (tmp_path / "token").write_text(service_token(secured)[:-4] + "AAAA")
    code, said = revoke("--token-file", str(tmp_path / "token"))
    assert code == 1 and "not a token of this service" in said
    assert revoke("--token-file", str(tmp_path / "missing"))[0] == 1
    missing = run("token", "revoke", "--database", str(tmp_path / "no.db"), "--jti", "A" * 22)
    assert missing.returncode == 1 and "no such database" in missing.stderr
    assert not (tmp_path / "no.db").exists() and not (tmp_path / "no.db.keys").exists()
    assert len(run("token", "list", "--database", secured.database).stdout.splitlines()) == 1


def test_an_issued_token_says_its_id_beside_it(secured):
    result = run("token", "issue", "--database", secured.database, "--subject", "x", "--scope", "users:read")
    assert f"token {token_id(result.stdout.strip())}, expires " in result.stderr


@pytest.mark.parametrize("arguments", [
    ["--subject", "", "--scope", "users:read"], ["--subject", "a b", "--scope", "users:read"],
    ["--subject", "x" * 65, "--scope", "users:read"], ["--subject", "x", "--scope", "users:delete"],
    ["--subject", "x"], ["--subject", "x", "--scope", "users:read", "--ttl", "91d"],
    ["--subject", "x", "--scope", "users:read", "--ttl", "0s"],
    ["--subject", "01a20e13-53dc-756f-b844-595a9b132cb5"]])
def test_tokens_that_are_not_issued(secured, arguments):
    result = run("token", "issue", "--database", secured.database, *arguments)
    assert (result.returncode, result.stdout) == (2, "")


def test_secrets_are_not_logged(pb, tmp_path):
    """At any level: no password, no token, no key."""
    with subprocess.Popen(
        [conftest.PROGRAM, "serve", "--listen", "127.0.0.1:0", "--database", str(tmp_path / "users.db"), "--log-level",
         "trace"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().split("listening on ")[1].split(",")[0]
        with grpc.insecure_channel(address) as channel:
            caller = Caller(pb, channel)
            ada = caller.create()
            tokens = caller.sign_in()
            caller.get(ada.id, tokens.access_token)
            failure(lambda: caller.get(ada.id, tokens.access_token + "x"))
            failure(lambda: caller.sign_in(password="wrong horse"))
            caller.refresh(tokens.refresh_token)
            failure(lambda: caller.list(tokens.access_token))
        process.terminate()
        _, log = process.communicate(timeout=TIMEOUT)
    key = json.loads((tmp_path / "users.db.keys").read_text())["keys"][0]["d"]
    for secret in ["correct horse", "wrong horse", tokens.access_token, tokens.refresh_token, key]:
        assert secret not in log
    lines = [line for line in log.splitlines() if "GetUser" in line or "ListUsers" in line]
    assert f"principal={ada.id}" in lines[0] and "principal=anonymous" in lines[1]
    # Who was denied is named too.
    assert f"principal={ada.id}" in lines[2] and "reason=PERMISSION_DENIED" in lines[2]
    assert "reason=TOKEN_UNTRUSTED" in lines[1] or "reason=TOKEN_MALFORMED" in lines[1]


def start_fails(tmp_path, *arguments):
    result = run("serve", "--database", str(tmp_path / "users.db"), *arguments)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.returncode == 1 and len(errors) == 1, result.stderr
    return errors[0]


def test_auth_off_is_for_this_machine_only(tmp_path, serve):
    message = start_fails(tmp_path, "--auth", "off", "--listen", "0.0.0.0:0")
    assert "--insecure" in message
    assert "auth.mode" in start_fails(tmp_path, "--auth", "maybe")
    for address in ["[::1]:0", f"unix:{tmp_path}/socket"]:
        serve(listen=(address,))
    # Meant so; that this address is nobody's here comes after it.
    assert "cannot listen" in start_fails(tmp_path, "--auth", "off", "--insecure", "--listen", "192.0.2.1:0")


def test_auth_off_says_so_at_every_level(tmp_path):
    with subprocess.Popen(
        [conftest.PROGRAM, "serve", "--listen", "127.0.0.1:0", "--database", str(tmp_path / "users.db"), "--auth", "off",
         "--log-level", "critical"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.terminate()
        _, log = process.communicate(timeout=TIMEOUT)
    assert "AUTHENTICATION IS OFF" in log


@pytest.mark.parametrize("settings, name", [
    ({"auth.access.lifetime": "2d"}, "auth.access.lifetime"), ({"auth.access.lifetime": "0s"}, "auth.access.lifetime"),
    ({"auth.refresh.lifetime": "1m"}, "auth.refresh.lifetime"), ({"auth.session.lifetime": "29d"}, "auth.session.lifetime"),
    ({"auth.issuer": ""}, "auth.issuer"), ({"auth.jwks.issuer": "x"}, "auth.jwks.file"),
    ({"auth.jwks.file": "x"}, "auth.jwks.issuer"), ({"auth.reflection.public": "perhaps"}, "auth.reflection.public"),
    ({"auth.jwks.file": "x", "auth.jwks.issuer": "user-service"}, "auth.jwks.issuer"),
    ({"auth.jwks.file": "/nonexistent", "auth.jwks.issuer": "x"}, "/nonexistent"),
    ({"auth.jwks.file": "x", "auth.jwks.issuer": "x", "auth.jwks.algorithms": "none"}, "auth.jwks.algorithms"),
    ({"password.min.length": "5"}, "password.min.length"), ({"password.min.length": "65"}, "password.min.length"),
    ({"auth.jwks.type": "jwt"}, "auth.jwks.type"), ({"auth.jwks.max.lifetime": "0s"}, "auth.jwks.max.lifetime"),
    ({"auth.jwks.max.lifetime": "401d"}, "auth.jwks.max.lifetime"), ({"auth.jwks.users": "perhaps"}, "auth.jwks.users"),
    ({"peer.rate": "0"}, "peer.rate"), ({"peer.rate": "nan"}, "peer.rate"), ({"peer.burst": "0"}, "peer.burst")])
def test_settings_that_cannot_be_used(tmp_path, monkeypatch, settings, name):
    for setting, value in settings.items():
        monkeypatch.setenv("USER_SERVICE_" + setting.upper().replace(".", "_"), value)
    assert name in start_fails(tmp_path)


def test_the_settings_file(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({
        "auth": {"mode": "off", "reflection": {"public": False}}, "peer": {"rate": 2.5, "burst": 5}, "insecure": True,
        "listen": "192.0.2.1:0"}))
    assert "cannot listen" in start_fails(tmp_path, "--config", str(file))


def test_keys_that_cannot_be_used_end_the_start(tmp_path):
    keys = tmp_path / "users.db.keys"
    keys.write_text("{}")
    keys.chmod(0o600)
    assert str(keys) in start_fails(tmp_path)
    keys.chmod(0o644)
    assert f"chmod 600 {keys}" in start_fails(tmp_path)


def test_secrets_may_be_links_and_a_group_of_the_service_may_read_them(serve, tmp_path):
    """As Kubernetes mounts secrets: links of mode 0777 to a folder that is replaced as a whole."""
    database = tmp_path / "users.db"
    assert serve(auth="on", database=database).stop()[0] == 0
    (tmp_path / "..1").mkdir()
    keys = tmp_path / "..1" / "users.db.keys"
    (tmp_path / "users.db.keys").rename(keys)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "users.db.keys").symlink_to("..data/users.db.keys")
    keys.chmod(0o440)
    assert serve(auth="on", database=database).stop()[0] == 0
    keys.chmod(0o644)
    assert "mode is 0644" in start_fails(tmp_path)
