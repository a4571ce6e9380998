"""Tests tokens of an outside issuer, made by joserfc, which shares no code with the service."""

import base64
import hmac
import json
import os
import subprocess
import time

import grpc
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

import conftest
from callers import DENIED, EXHAUSTED, UNAUTHENTICATED, Caller, failure
from issuer import ALGORITHMS, AUDIENCE, ISSUER, encode, make_key, make_token, sign, write_keys
from program import PROGRAM, TIMEOUT

# Each test runs on the inline road and on the handler road.
ANSWERING = ["inline", "task"]


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
            # The tests present far more invalid tokens than the limit allows one address.
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
    # The algorithm has one key, so its id may be omitted.
    outside.reads(make_token(key, header={"kid": None}))


def test_the_newer_name_of_the_algorithm(outside):
    """RFC 9864 names EdDSA with this curve Ed25519."""
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
        # Near these times, microseconds no longer fit in 64 bits.
        *[({"exp": number}, "TOKEN_MALFORMED") for number in (9.5e12, 9223372036854, 9223372036830, 1e12)],
        ({"exp": -9.5e12}, "TOKEN_MALFORMED"),
        ({"nbf": 9.5e12}, "TOKEN_MALFORMED"),
    ]:
        assert outside.refused(make_token(key, **claims)) == reason, claims
    # The tolerated difference of clocks is 30 seconds.
    outside.reads(make_token(key, exp=now - 10))
    outside.reads(make_token(key, nbf=now + 20))
    # The names of this service's own claims may mean anything in other tokens.
    outside.reads(make_token(key, sid=7, epoch="2025", jti=5, iat=9.5e12, scope=["users:read", "openid"]))


def test_an_outside_user_reads_itself_without_scopes(outside):
    outside.reads(make_token(outside.keys["EdDSA"], sub=outside.ada.id, scope=None))


def test_no_algorithm_but_the_keys_own(outside):
    """`alg: none`, or a public key used as an HMAC secret, is refused (RFC 8725, section 2.1)."""
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
            # The token is made by hand, because joserfc refuses to make it.
            for kid in [public.kid, "key-HS256", None]:
                signed = f"{encode({'alg': 'HS256', 'kid': kid, 'typ': 'at+jwt'})}.{encode(claims)}"
                tag = hmac.digest(secret, signed.encode(), "sha256")
                token = f"{signed}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"
                assert outside.refused(token) == "TOKEN_UNTRUSTED"
    # The right key, with the id of another.
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


def test_members_that_a_token_has_twice_are_refused(outside):
    """RFC 7515, section 4, and RFC 7519, section 4, forbid them: parsers differ in which value they use."""
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
    """RFC 9068, section 4: An ID token of the same issuer may have the same `aud`."""
    for typ in ["JWT", "jwt", None, "", "dpop+jwt", "logout+jwt", "secevent+jwt", "at+jwt2", "application/jwt"]:
        # joserfc adds its own `typ` if none is given.
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
        # A token issued in the future counts as issued now.
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
        # The subject is a user's id, but only scopes count.
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
    # A valid token that fits in the header fields is accepted.
    outside.reads(make_token(outside.keys[algorithm], padding="x" * 4_500))
    # 8 KiB do not fit: the transport refuses the request, and the connection continues.
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
        # A broken file changes nothing: the call with an unknown key makes the service read it.
        (tmp_path / "jwks.json").write_text("{")
        assert not works(after)
        assert works(before)
        write_keys(tmp_path / "jwks.json", [new])
        assert works(after)
        # The cached token is refused too.
        assert not works(before)
        # An issuer that has withdrawn its keys is no longer trusted.
        write_keys(tmp_path / "jwks.json", [])
        assert not works(before)
        assert not works(after)


def test_an_odd_key_is_named_and_the_others_count(pb, tmp_path):
    key = make_key("EdDSA", "good")
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [
        {"kid": "odd"}, 7, None, key.as_dict(private=False), {"kty": "oct", "k": "c2hvcnQ", "kid": "a\nb"}]}))
    settings = {"USER_SERVICE_AUTH_JWKS_FILE": str(tmp_path / "jwks.json"), "USER_SERVICE_AUTH_JWKS_ISSUER": ISSUER}
    with subprocess.Popen(
        [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--database", str(tmp_path / "users.db"), "--log-format",
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
