extension StoredHashVector {
  /// Published hashes: github.com/firebase/scrypt, github.com/dotnet/aspnetcore (PasswordHasherTest.cs),
  /// github.com/ory/kratos (hash/hasher_test.go), firebase-tools issue 1617, crypt_blowfish, and github.com/openwall/john
  /// (src/c3_fmt.c).
  static let published = [
    StoredHashVector(
      "github.com/firebase/scrypt README", "user1password",
      """
      $firescrypt$ln=14,r=8,p=1$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAj\
      Tdn3aoItz+VHjoZilo78198JAdRuid5lQ==$Bw==$jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmd\
      ZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==
      """),
    StoredHashVector(
      "ASP.NET v2", "my password",
      "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg=="),
    StoredHashVector(
      "ASP.NET v3", "my password",
      """
      AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==
      """),
    StoredHashVector(
      "ASP.NET v3, 250,000", "my password",
      """
      AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8\
      efcW+jQ=
      """),
    StoredHashVector(
      "Kratos argon2i", "test",
      """
      $argon2i$v=19$m=65536,t=3,p=4$kk51rW/vxIVCYn+EG4kTSg$NyT88uraJ6im6dyha/M5jhXvpqlEdlS/9fEm7ScMb8c
      """),
    StoredHashVector(
      "Kratos pbkdf2-sha256", "test",
      """
      $pbkdf2-sha256$i=100000,l=32$1jP+5Zxpxgtee/iPxGgOz0RfE9/KJuDElP1ley4VxXc$QJxzfvdbHYBpydCbHoFg3GJ\
      EqMFULwskiuqiJctoYpI
      """),
    StoredHashVector(
      "Kratos pbkdf2-sha512", "test",
      """
      $pbkdf2-sha512$i=100000,l=32$bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU$+wArTfv1a+bNGO1iZrmEdVj\
      hA+lL11wF4/IxpgYfPwc
      """),
    StoredHashVector(
      "Kratos scrypt", "test",
      """
      $scrypt$ln=16384,r=8,p=1$2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA=$MiCzNcIplSMqSBrm4HckjYqYha\
      VPPjTARTzwB1cVNYE=
      """),
    StoredHashVector(
      "Kratos sha1", "test",
      """
      $sha1$pf=JHtQQVNTV09SRH0ke1NBTFR9JA==$NW9wbWtnejAzcg==$iE5n1yjX3oAdxRHwZ4u57I4LpQo=
      """),
    StoredHashVector(
      "Kratos sha256", "test",
      """
      $sha256$pf=e1NBTFR9JCR7UEFTU1dPUkR9$NW9wbWtnejAzcg==$HokCOi9OtiZaZRvnkgemV3B4UUHpI7kA8zq/EZWH2NY\
      =
      """),
    StoredHashVector(
      "Kratos sha512", "test",
      """
      $sha512$pf=e1NBTFR9JCR7UEFTU1dPUkR9$NW9wbWtnejAzcg==$1F9BPW8UtdJkZ9Dhlf+D4X4dJ9xfuH8y04EfuCP2k4a\
      GPPq/aWxU9/xe3LydHmYW1/K3zu3NFO9ETVrZettz3w==
      """),
    StoredHashVector(
      "Kratos md5", "test",
      "$md5$CY9rzUYh03PK3k6DJie09g=="),
    StoredHashVector(
      "Kratos md5 with a salt", "ory",
      "$md5$pf=e1BBU1NXT1JEfXtTQUxUfSQ/$MTIzNDU2Nzg5$8PhwWanVRnpJAFK4NUjR0w=="),
    StoredHashVector(
      "Kratos md5-crypt", "test",
      "$md5-crypt$TVEiiKNb$SN6/pUaRQS/E8Jh46As2C/"),
    StoredHashVector(
      "Kratos md5-crypt without a salt", "test",
      "$md5-crypt$$whuMjZj.HMFoaTaZRRtkO0"),
    StoredHashVector(
      "Kratos sha256-crypt", "test",
      """
      $sha256-crypt$rounds=535000$05R.9KB6UC2kLI3w$Q/zslzx./JjkAVPTwp6th7nW5l7JU91Gte/UmIh.U78
      """),
    StoredHashVector(
      "Kratos sha512-crypt", "test",
      """
      $sha512-crypt$rounds=656000$3LVbIAVxR//cRajw$uuNasMW.RYxlGzIRFU1Was70BPSa933AjxhZIGJdJBOlqJAHlgq\
      a0yuiuq5JHF/ryNGryJkj87G9i3G2HPSXg1
      """),
    StoredHashVector(
      "Kratos hmac-md5", "test",
      "$hmac-md5$ZmU4Njk3Zjc0MmQwODA0MDVkMTI3MGU2MTYzMzE2Zjk=$MTIzNDU="),
    StoredHashVector(
      "Kratos hmac-sha384", "test",
      """
      $hmac-sha384$ZWEyMGM3NGE4Y2UzMTljNTdjZTlhZGQyYTZjNDE0MGQ4YjMwYWIwOWM4OTRiNWQ4MmZjODlhMzBhMmQzNGE\
      5NmQ0NDY1NWRhYjQ2ZjhiYjBkNTRmYjk5YWZkZTA1MGY1$MTIzNDU=
      """),
    StoredHashVector(
      "Firebase md5 in hexadecimal", "tester5",
      "$md5$NzJkNGE1YTViNjA1YzUzYWUxYWM0NzhkOWE0OTc3ZDc="),
    StoredHashVector(
      "bcrypt, crypt_blowfish", "U*U*",
      "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    StoredHashVector(
      "John the Ripper yescrypt", "pleaseletmein",
      "$y$j9T$e8R9q85ZuzUkArEUurdtS.$esON.7y6H.u3UCPVCpbRFueRpAut2n2cMf1EhpjbuiC"),
    StoredHashVector(
      "John the Ripper yescrypt 2", "openwall",
      "$y$j9T$AAt9R641xPvCI9nXw1HHW/$cuQRBMN3N/f8IcmVN.4YrZ1bHMOiLOoz9/XQMKV/v0A"),
  ]
}
