"""Makes password hashes with independent libraries, in the texts of the systems that the service imports from.

`MAKERS` maps the name of a format to a function from a password to a hash of it. The costs are low, so that a test can make
all of them.
"""

import base64
import ctypes
import hashlib
import hmac
import html
import os
import re
import secrets

import argon2
import bcrypt
import django.conf
import werkzeug.security
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.contrib.auth import hashers
from passlib import hash as passlib
from passlib.utils.binary import h64

libcrypt = ctypes.CDLL("libcrypt.so.1")
libcrypt.crypt.restype = ctypes.c_char_p
# passlib's own code, not libcrypt, which the service uses, too.
for scheme in (passlib.md5_crypt, passlib.sha256_crypt, passlib.sha512_crypt):
    scheme.set_backend("builtin")

if not django.conf.settings.configured:
    django.conf.settings.configure()

SCRYPT = {"n": 1024, "r": 8, "p": 1}
# The signer key and the salt separator of a Firebase project, as its console shows them.
FIREBASE_KEY = base64.b64decode(
    "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==")
FIREBASE_SEPARATOR = b"\x07"


def encode(data, padded=True):
    """Returns `data` in base64."""
    text = base64.b64encode(data).decode()
    return text if padded else text.rstrip("=")


def argon2_variant(variant):
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1, type=variant)
    return hasher.hash


def bcrypt_variant(prefix):
    def make(password):
        text = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4, prefix=b"2b")).decode()
        return f"${prefix}{text[3:]}"
    return make


def from_wordpress(make):
    """Returns `make` for what WordPress gets of a form and hashes: PHP's addslashes() and trim()."""
    return lambda password: make(re.sub(r"(['\"\\])", r"\\\1", password).strip(" \n\r\t\v\0"))


def wordpress(password):
    mac = hmac.digest(b"wp-sha384", password.encode(), "sha384")
    return "$wp" + bcrypt_variant("2y")(encode(mac))


def from_phpbb(make):
    """Returns `make` for what phpBB gets of a form and hashes: PHP's htmlspecialchars() with ENT_COMPAT."""
    return lambda password: make(html.escape(password, quote=False).replace('"', "&quot;"))


def django_hasher(cls, **attributes):
    hasher = cls()
    for name, value in attributes.items():
        setattr(hasher, name, value)
    return lambda password: hasher.encode(password, hasher.salt())


def django_bcrypt(cls):
    hasher = cls()
    hasher.rounds = 4
    return lambda password: hasher.encode(password, hasher.salt())


def kratos_scrypt(password):
    salt = os.urandom(16)
    key = hashlib.scrypt(password.encode(), salt=salt, dklen=32, **SCRYPT)
    return f"$scrypt$ln={SCRYPT['n']},r=8,p=1${encode(salt)}${encode(key)}"


def firebase_scrypt(password):
    salt = os.urandom(10)
    key = hashlib.scrypt(password.encode(), salt=salt + FIREBASE_SEPARATOR, dklen=32, **SCRYPT)
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    texts = [salt, encryptor.update(FIREBASE_KEY), FIREBASE_SEPARATOR, FIREBASE_KEY]
    return "$".join(["$firescrypt$ln=10,r=8,p=1", *map(encode, texts)])


def phc_pbkdf2(name, length):
    def make(password):
        salt = os.urandom(16)
        key = hashlib.pbkdf2_hmac(name, password.encode(), salt, 1000, length)
        return f"$pbkdf2-{name}$i=1000,l={length}${encode(salt, False)}${encode(key, False)}"
    return make


def identity_v2(password):
    salt = os.urandom(16)
    return encode(b"\x00" + salt + hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 32))


def identity_v3(number, name):
    def make(password):
        salt = os.urandom(16)
        numbers = b"".join(value.to_bytes(4, "big") for value in (number, 1000, len(salt)))
        return encode(b"\x01" + numbers + salt + hashlib.pbkdf2_hmac(name, password.encode(), salt, 1000, 32))
    return make


def yescrypt(password):
    return libcrypt.crypt(password.encode(), b"$y$j75$" + h64.encode_bytes(os.urandom(16))).decode()


def drupal7(password):
    salt = secrets.token_hex(4)
    digest = hashlib.sha512(salt.encode() + password.encode()).digest()
    for _ in range(1 << 7):
        digest = hashlib.sha512(digest + password.encode()).digest()
    return ("$S$5" + salt + h64.encode_bytes(digest).decode())[:55]


def kratos_digest(name, template, rounds=None):
    def make(password):
        salt = os.urandom(8)
        message = {"{SALT}{PASSWORD}": salt + password.encode(), "{PASSWORD}{SALT}": password.encode() + salt}[template]
        digest = hashlib.new(name, message).digest()
        for _ in range((rounds or 1) - 1):
            digest = hashlib.new(name, digest).digest()
        parameters = ("" if rounds is None else f"i={rounds},") + "pf=" + encode(template.encode())
        return f"${name}${parameters}${encode(salt)}${encode(digest)}"
    return make


def kratos_hmac(name):
    def make(password):
        key = os.urandom(16)
        return f"$hmac-{name}${encode(hmac.digest(key, password.encode(), name).hex().encode())}${encode(key)}"
    return make


def salted_hmac(name):
    def make(password):
        salt, key = os.urandom(8), os.urandom(16)
        code = hmac.digest(key, salt + password.encode(), name)
        return f"$hmac-{name}$pf={encode(b'{SALT}{PASSWORD}')}${encode(salt)}${encode(code)}${encode(key)}"
    return make


def ssha(tag, name):
    def make(password):
        salt = os.urandom(8)
        return tag + encode(hashlib.new(name, password.encode() + salt).digest() + salt)
    return make


MAKERS = {
    "argon2i": argon2_variant(argon2.Type.I),
    "argon2d": argon2_variant(argon2.Type.D),
    "argon2id": argon2_variant(argon2.Type.ID),
    "django-argon2": django_hasher(hashers.Argon2PasswordHasher, time_cost=1, memory_cost=64, parallelism=1),
    "bcrypt-2a": bcrypt_variant("2a"),
    "bcrypt-2b": bcrypt_variant("2b"),
    "bcrypt-2y": bcrypt_variant("2y"),
    "django-bcrypt": django_bcrypt(hashers.BCryptPasswordHasher),
    "django-bcrypt-sha256": django_bcrypt(hashers.BCryptSHA256PasswordHasher),
    "wordpress-bcrypt": from_wordpress(wordpress),
    "passlib-scrypt": passlib.scrypt.using(rounds=10).hash,
    "kratos-scrypt": kratos_scrypt,
    "django-scrypt": django_hasher(hashers.ScryptPasswordHasher, work_factor=1024),
    "werkzeug-scrypt": lambda password: werkzeug.security.generate_password_hash(password, "scrypt:1024:8:1"),
    "firebase-scrypt": firebase_scrypt,
    "phc-pbkdf2-sha1": phc_pbkdf2("sha1", 20),
    "phc-pbkdf2-sha256": phc_pbkdf2("sha256", 32),
    "phc-pbkdf2-sha512": phc_pbkdf2("sha512", 64),
    "keycloak-pbkdf2-sha256": phc_pbkdf2("sha256", 64),
    "mongoose-pbkdf2-sha256": phc_pbkdf2("sha256", 512),
    "passlib-pbkdf2-sha1": passlib.pbkdf2_sha1.using(rounds=1000).hash,
    "passlib-pbkdf2-sha256": passlib.pbkdf2_sha256.using(rounds=1000).hash,
    "passlib-pbkdf2-sha512": passlib.pbkdf2_sha512.using(rounds=1000).hash,
    "django-pbkdf2-sha256": django_hasher(hashers.PBKDF2PasswordHasher, iterations=1000),
    "django-pbkdf2-sha1": django_hasher(hashers.PBKDF2SHA1PasswordHasher, iterations=1000),
    "werkzeug-pbkdf2": lambda password: werkzeug.security.generate_password_hash(password, "pbkdf2:sha256:1000"),
    "identity-v2": identity_v2,
    "identity-v3-sha1": identity_v3(0, "sha1"),
    "identity-v3-sha256": identity_v3(1, "sha256"),
    "identity-v3-sha512": identity_v3(2, "sha512"),
    "md5crypt": passlib.md5_crypt.hash,
    "sha256crypt": passlib.sha256_crypt.using(rounds=5000).hash,
    "sha512crypt": passlib.sha512_crypt.using(rounds=1000).hash,
    "yescrypt": yescrypt,
    "phpass": passlib.phpass.using(rounds=7).hash,
    "wordpress-phpass": from_wordpress(passlib.phpass.using(rounds=7).hash),
    "phpbb": from_phpbb(passlib.phpass.using(rounds=7, ident="$H$").hash),
    "drupal7": drupal7,
    "md5": lambda password: "$md5$" + encode(hashlib.md5(password.encode()).digest()),
    "md5-salted": kratos_digest("md5", "{SALT}{PASSWORD}"),
    "sha1": kratos_digest("sha1", "{PASSWORD}{SALT}"),
    "sha256": kratos_digest("sha256", "{SALT}{PASSWORD}"),
    "sha512": kratos_digest("sha512", "{PASSWORD}{SALT}"),
    "firebase-sha256": kratos_digest("sha256", "{PASSWORD}{SALT}", rounds=80),
    "firebase-md5": kratos_digest("md5", "{SALT}{PASSWORD}", rounds=1),
    "ssha": ssha("{SSHA}", "sha1"),
    "ssha256": ssha("{SSHA256}", "sha256"),
    "ssha384": ssha("{ssha384}", "sha384"),
    "ssha512": ssha("{SSHA512}", "sha512"),
    "hmac-md5": kratos_hmac("md5"),
    "hmac-sha1": kratos_hmac("sha1"),
    "hmac-sha256": kratos_hmac("sha256"),
    "hmac-sha512": kratos_hmac("sha512"),
    "firebase-hmac-sha256": salted_hmac("sha256"),
    "django-md5": django_hasher(hashers.MD5PasswordHasher),
}


def make(name, password):
    """Returns a hash of `password` in the format `name`, with a random salt."""
    return MAKERS[name](password)
