"""Tests settings, files and the log of a service with authentication."""

import json
import subprocess

import grpc
import pytest

from callers import Caller, failure
from program import PROGRAM, TIMEOUT, run


def test_secrets_are_not_logged(pb, tmp_path):
    """At any level, the log has no password, token or key."""
    with subprocess.Popen(
        [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--database", str(tmp_path / "users.db"), "--log-level",
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
    # The log also names a caller that was denied.
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
    # The option allows it; the failure is that this machine does not have the address.
    assert "cannot listen" in start_fails(tmp_path, "--auth", "off", "--insecure", "--listen", "192.0.2.1:0")


def test_auth_off_says_so_at_every_level(tmp_path):
    with subprocess.Popen(
        [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--database", str(tmp_path / "users.db"), "--auth", "off",
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
    """Kubernetes mounts secrets as links of mode 0777 to a folder that is replaced as a whole."""
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
