/// A hash by an independent implementation, and its password.
struct StoredHashVector: CustomStringConvertible, Sendable {
  let name: String
  let password: String
  let text: String

  init(_ name: String, _ password: String, _ text: String) {
    self.name = name
    self.password = password
    self.text = text
  }

  var description: String { name }

  /// Hashes by the libraries of `Tests/python/hashes.py`, which made them.
  static let generated = [
    StoredHashVector(
      "argon2i", "correct horse",
      """
      $argon2i$v=19$m=64,t=1,p=1$pxoR68no3rKPSLNJ95QJWQ$SxEuVO40Ro83OvLYybDq+rnkOReZ5+rzbIkBJQ8uNac
      """),
    StoredHashVector(
      "argon2d", "correct horse",
      """
      $argon2d$v=19$m=64,t=1,p=1$FggEjfo0Hyd7RYtkI/L8ew$f6VGxy61TeDGmDlmajQNAx8y4tRO15Daum3DSvCOODQ
      """),
    StoredHashVector(
      "argon2id", "correct horse",
      """
      $argon2id$v=19$m=64,t=1,p=1$CX8t/GtuRx2hHBs9+6ygJg$c0SGTn5UnHsM1ovmc3spUYf+tg98Zvz+gVUm8OZYCos
      """),
    StoredHashVector(
      "argon2id-255-lanes", "correct horse",
      """
      $argon2id$v=19$m=2040,t=1,p=255$59BADBWThDwsdPyKKwYwBQ$ckFHLnp+RPn1oq2MEge07u35DBksuC+vojdNHPNR4\
      hg
      """),
    StoredHashVector(
      "django-argon2", "correct horse",
      """
      argon2$argon2id$v=19$m=64,t=1,p=1$cTFDUVFMdUMzaHNpVjMyZ0lySUtHTA$MAbNJU3X732W2enwifwQ/GHlHlO8I6i\
      8ltZ4fHgAPtk
      """),
    StoredHashVector(
      "bcrypt-2a", "correct horse",
      "$2a$04$kX42B7oXi5a0c48WvLcMuufhOqAI.y4r.HOdYCj0WAPH7R75pBmiW"),
    StoredHashVector(
      "bcrypt-2b", "correct horse",
      "$2b$04$tQY.IzGI4UOpV5M.Z0yARuRZLsMarkR/kO.I.qnSi4Ancq7gaQ/HW"),
    StoredHashVector(
      "bcrypt-2y", "correct horse",
      "$2y$04$eR3nKtXmNUJQ5jeW0knkPe3qB8EfINHaeLqxLaV2WLfyR4/h00MW2"),
    StoredHashVector(
      "django-bcrypt", "correct horse",
      "bcrypt$$2b$04$dcVrbBhSZqBWdxXxToF4DeyoiV3zmtMgm31olOFciZhIHmHHXv6my"),
    StoredHashVector(
      "django-bcrypt-sha256", "correct horse",
      """
      bcrypt_sha256$$2b$04$eknXlkmpZ0dG4RMdzPGzMuP4Kzy8SOTwHJsqaJZROba5Q5ZuEKGv.
      """),
    StoredHashVector(
      "wordpress-bcrypt", "correct horse",
      "$wp$2y$04$wfpJ2k6BO7ui7WPNNA.NgOxdRZR4LXAstJCtPRL3lWI/nHERN8296"),
    StoredHashVector(
      "passlib-scrypt", "correct horse",
      """
      $scrypt$ln=10,r=8,p=1$JyQkBMC411qLcS5lLCXEWA$gd9w9rCaREuxcxjYkh1F+iObJLWEb7Tps5fSvvQ59X0
      """),
    StoredHashVector(
      "kratos-scrypt", "correct horse",
      """
      $scrypt$ln=1024,r=8,p=1$J9lCVtS+SxRpLmXMKUoYyg==$qqZm+br41ii6j/tV5EMRvy7RQuzhgNer8iHguVmQjR4=
      """),
    StoredHashVector(
      "django-scrypt", "correct horse",
      """
      scrypt$1024$CnMAc34paGwF4yROU8sMXf$8$5$8h9pe6ukSSO8++Urbh54Q21Zv9BZ/IsBczh6njO+gYRGo53Sp4llyl/ba\
      qXabs77jx6N1OnbfEcqh3NKONz2wA==
      """),
    StoredHashVector(
      "werkzeug-scrypt", "correct horse",
      """
      scrypt:1024:8:1$9WEZRDbh7ZbFn14t$b6e5d1d38084acaf70b080983e9ffd83233a04efe2723f944b3a9a576203344\
      3997a7692f15ae4bbd855a547e97e3aa069224cf8d3eafaed4e5ffc531ca0e015
      """),
    StoredHashVector(
      "firebase-scrypt", "correct horse",
      """
      $firescrypt$ln=10,r=8,p=1$CZau6JSP8UZESA==$aGOIzue8V9iRXUci7FEqjTw2auF4itGSpHzlnnAuJgcosnOiI/Cys\
      g5KTtmmE7kqUNs41x5N8TXP0ND3SBOdCg==$Bw==$jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmd\
      ZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==
      """),
    StoredHashVector(
      "phc-pbkdf2-sha1", "correct horse",
      """
      $pbkdf2-sha1$i=1000,l=20$o2ch8t+7/7LtKfSsdw4SjA$bFXPrevAMLf763VZGGZ1eS+9Y0A
      """),
    StoredHashVector(
      "phc-pbkdf2-sha256", "correct horse",
      """
      $pbkdf2-sha256$i=1000,l=32$lT2SRqJWMyFgLMx8/FxQrQ$FgebczYbJ6DaaydyaqR7hrH0Z5KVEdqkBqvOns5N6Z0
      """),
    StoredHashVector(
      "phc-pbkdf2-sha512", "correct horse",
      """
      $pbkdf2-sha512$i=1000,l=64$YSa50mmSl3XLIytBvU3CYA$4x+Txn/L6LNb5i20SgKe5IVubtBuHP7QrfSAoCbEAG3Dwf\
      p728Xaek6UCxsFMFohGmKFQRi2XQsNDLetiZcQmg
      """),
    StoredHashVector(
      "keycloak-pbkdf2-sha256", "correct horse",
      """
      $pbkdf2-sha256$i=1000,l=64$zT8+LXfQTfqRGYM6Sc7i1w$g6woGlHSy1UkOPeXKWQK9zTDw9x6ku6tzCU/OKi1qZuzYF\
      7cscQ5u8CIivxoQWZM3+CY1H+o5cILcfG15kgcSw
      """),
    StoredHashVector(
      "mongoose-pbkdf2-sha256", "correct horse",
      """
      $pbkdf2-sha256$i=1000,l=512$Vs3ZgD6fupfp8Ew6R7G6hw$rOXcR79o6idTgHtmIN/KQhsr7yK3fKLjSr92tkNVTwQ0\
      9DwlVroFi1m7VXYeh2dmChxTLODdS8nWqFXU/DOAOW4t/5bi8wvMzHQ0XZRK4D7fwvw/7Y7AuiqqTwC/0+6aSYp/mIKuMG3\
      gNv74B8nQRsP+bkFGrlpZTxlqaO4wagzUm4eLqKEHpXJcnbGItxNzyGUeCOTHzNOzatjK19EVqbxar2d6Jf61EFj7sxbZXu\
      oRscjdwNDMNYczDp89ocLYB4WPL4SoWKNrVN9sLwdzE5badG4RaDlmGNhZ6JgalKvtQ/ERDvIpOcJxOaXQwWVDo9Ava1nw3\
      6QmwvLUWpBw9NNdQoO5/dEpA/eukllTfatCZm3ldwFBr/FgrVnmgD+zQwFFw6ZGvVFjhBmvDsr/TsD2HZ92BoHXSFGG5MdE\
      STid+sCUEL949mGC5hfPOM2RI4YDiDVw4V5qYDSJR2uFt8me+X6OWtwttces7TozO1GdISpwnforVa+wxZOitZC5ZGK8u7S\
      ewYC2y1+TcaEmv1022gy+zad5NLO6/HyrcOA7syXKxW/BZKK6hB1lFkH35ORf91+7xymB3OURfpsrGSAMrBqUFY305pS3oE\
      qPhfzmMSilKhLa+NN6tf9e2FlOyfrZfgdOcxnxySfSCUr1B/GgKZHnyrLgzYoQ5HzBu+8
      """),
    StoredHashVector(
      "passlib-pbkdf2-sha1", "correct horse",
      "$pbkdf2$1000$kxKCkLKW0prTWoux1novhQ$5OhnoAlXCjsx84gTbP2lAz/DV7M"),
    StoredHashVector(
      "passlib-pbkdf2-sha256", "correct horse",
      """
      $pbkdf2-sha256$1000$ASCk9L435vz/n7NWas15jw$UIRQHR2psVexjZGwIQabUgGXWC8Wh/luL5bMNwOOl1c
      """),
    StoredHashVector(
      "passlib-pbkdf2-sha512", "correct horse",
      """
      $pbkdf2-sha512$1000$V0opRcj5v5cyplTKWYuxFg$4RKUhdlxr6ir2rnSvqHI7f4Jhr70dkw7buNQDSV0Jx9LG5/MdAQrb\
      sDkZN4khxOt28jcMwgLFlBgPGLPG835wQ
      """),
    StoredHashVector(
      "django-pbkdf2-sha256", "correct horse",
      """
      pbkdf2_sha256$1000$MCD5hvzTv9da412mKXN5UP$KxMNbflE5Ls/dp5KeBw3kA1iDYQ1Q3b8obz9i+pC46g=
      """),
    StoredHashVector(
      "django-pbkdf2-sha1", "correct horse",
      "pbkdf2_sha1$1000$z5hYpIZ6QSTeaYWLmFNlTZ$AqyxIUDY/rqSclD/RSabIH0RvbU="),
    StoredHashVector(
      "werkzeug-pbkdf2", "correct horse",
      """
      pbkdf2:sha256:1000$hkVILGCgoGWi5tXD$37a07b4af657715f9d843e71054efe471d80a6bd376ee3c4bf0e78b7ab42\
      9b8f
      """),
    StoredHashVector(
      "identity-v2", "correct horse",
      "AMvTYpT3UKrOQ/ZRQrHObb5KCUx0HfCpir4+yAWioa0c3jUNZx4/uEJjZ9arIWhKwA=="),
    StoredHashVector(
      "identity-v3-sha1", "correct horse",
      """
      AQAAAAAAAAPoAAAAEKfdEer3lniOeLzvdqFb9+JrbkofKPQzqfN+mhV3+rz7Ht2flCgbI12NYNa+u2IW6g==
      """),
    StoredHashVector(
      "identity-v3-sha256", "correct horse",
      """
      AQAAAAEAAAPoAAAAEFKejWwKrHyYOASXJ9/AlDdO+SBOuDzEN6W1l8pr93a1D6uaEcvdN8E6Xzb65e885Q==
      """),
    StoredHashVector(
      "identity-v3-sha512", "correct horse",
      """
      AQAAAAIAAAPoAAAAEJgqtlKTS2g1HMUy6f7RBGR548FhiFj2sXwRpizYFiWmtnUR+MHLarF4Jy8GQK4V7w==
      """),
    StoredHashVector(
      "md5crypt", "correct horse",
      "$1$e3k3A9Ir$JgUpoa9Ht3ycSjXbPiK/I."),
    StoredHashVector(
      "sha256crypt", "correct horse",
      "$5$gDkVI6fXk9YJ2TTp$oqghzN1rMjMUkeZJOifL7DJsFYTed.rcHJiKYd.0n58"),
    StoredHashVector(
      "sha512crypt", "correct horse",
      """
      $6$rounds=1000$Ox.UbEX2gCv.COfo$9/KoVbsaKGLBQKYwkKUeS4nTp7OwQHeFetsK.T5mkTESkOQnvigjfxYBfrOdFY9X\
      Cc0L8/0G4E3nUUScOJWNL0
      """),
    StoredHashVector(
      "yescrypt", "correct horse",
      """
      $y$j75$OL8f5/mdaO4YGB0xk2XwF/$zCLscfDmUJMxi.F2TWqABi0caKzb3UAbWHGUoJjFzq9
      """),
    StoredHashVector(
      "phpass", "correct horse",
      "$P$553noO5YBIvQbH0dIze1e.9z/QPAvw."),
    StoredHashVector(
      "wordpress-phpass", "correct horse",
      "$P$54COaDNF/zy04BI83PlcYx19/njN5v/"),
    StoredHashVector(
      "phpbb", "correct horse",
      "$H$5y5y64hDLQN6Ru6YQUGxkdpxaFt61O0"),
    StoredHashVector(
      "drupal7", "correct horse",
      "$S$5713c300f0dc.YVGG2p4tRI1CQnZj/DZ4aMpzFN6JVeZtAUlpGhh"),
    StoredHashVector(
      "md5", "correct horse",
      "$md5$PLTnMmMfR+brlh80VUt83g=="),
    StoredHashVector(
      "md5-salted", "correct horse",
      "$md5$pf=e1NBTFR9e1BBU1NXT1JEfQ==$8vjYYsKupuQ=$X7/ABNGKhFPjHMdyDLvnTQ=="),
    StoredHashVector(
      "sha1", "correct horse",
      """
      $sha1$pf=e1BBU1NXT1JEfXtTQUxUfQ==$U3ztPCLZQxQ=$tCh8BkXnuqV2gcAQx7YCJ5ap5f4=
      """),
    StoredHashVector(
      "sha256", "correct horse",
      """
      $sha256$pf=e1NBTFR9e1BBU1NXT1JEfQ==$TB7rN6lbFHw=$Yfjqg5aUALo6f25eVKczcD/bcIDK9D2yvN0kxeN4XHA=
      """),
    StoredHashVector(
      "sha512", "correct horse",
      """
      $sha512$pf=e1BBU1NXT1JEfXtTQUxUfQ==$suBsKR1Y83Y=$aoQKq6fSYXdyQkdv/XjmFZdjwXbETdQpl2TR2ITWg5u+pjU\
      pH5dOcmdp2y3ekysTdMpbW7Jix97B5VQp2D17Gw==
      """),
    StoredHashVector(
      "firebase-sha256", "correct horse",
      """
      $sha256$i=80,pf=e1BBU1NXT1JEfXtTQUxUfQ==$wac5PgOqWHA=$aJBrLdbJRl7kA+Se71uj9TymMZrDBhPTbAhXOmjFQT\
      4=
      """),
    StoredHashVector(
      "firebase-md5", "correct horse",
      """
      $md5$i=1,pf=e1NBTFR9e1BBU1NXT1JEfQ==$r+kBpWJBuRc=$vRlpwJ6vbKoW0ljv2Yx4Yw==
      """),
    StoredHashVector(
      "ssha", "correct horse",
      "{SSHA}tKIC/H6NfDUZ31KY+JzE60yBoTKw9qbbzc+NRA=="),
    StoredHashVector(
      "ssha256", "correct horse",
      "{SSHA256}t6StGoc4GNW6dss2otDTNiiXbwBEVVhcaYrxkkJ1h5IMbfkdVHIivg=="),
    StoredHashVector(
      "ssha384", "correct horse",
      """
      {ssha384}6SosrGPKO+uMQZKXUOHIK8dHPnauw3eSX/lmV0raY7f22hrXPL7rUP17E4xVoCb2aDiyPloGrfs=
      """),
    StoredHashVector(
      "ssha512", "correct horse",
      """
      {SSHA512}WazHHqDdWh0KDcqTLs3m035R6rFPA/47wb8FNKqTGZPyE0W/ai7dKpIb2fS291mnEF1MwY39Cq463KTTjCrCIvC\
      Au+eBG2aF
      """),
    StoredHashVector(
      "hmac-md5", "correct horse",
      """
      $hmac-md5$MDE2ZTg1YTM2ZWIxMmZjM2YxOGI0YTkxZDc2Zjg1ZGE=$iYJD1AI7ABEc5I4+eR0ehg==
      """),
    StoredHashVector(
      "hmac-sha1", "correct horse",
      """
      $hmac-sha1$NDE1NzkwNTkxNjFlMTA2Mzk4ZmUwYjlhYWI3ZjI5Y2NiYmIxODA4Mg==$JUMB1lh9HN90CoE3SdEHyA==
      """),
    StoredHashVector(
      "hmac-sha256", "correct horse",
      """
      $hmac-sha256$MjNiNjczMzZkMzM3OGNjNmQzMzA4NDdkMDJiODlhODJmYmRiNTFkOWRhYzQzZGM3OWI0MjgwNzE1M2EzYTZ\
      mNQ==$mLUhzR2vWrE6V7Zwwhu3FQ==
      """),
    StoredHashVector(
      "hmac-sha512", "correct horse",
      """
      $hmac-sha512$YjM3OWQzNmIxMGExMmFhNzQ4Y2VjYTVhZDYyNjQ3NjliMGJhMzA4NTZhOWRkMzYwOTdiZDdlNWVkZjU4M2Z\
      kODFiMzg5Y2MwMjVkMWE3NThiNDQxMjJiNDFkZmVkZTAwMjIxYTIxZmM2MGQ5NTAzMTI2NmQzN2YyM2Q5NGU0MDM=$Wb4Md0\
      zfOM2Hh85OofwVgg==
      """),
    StoredHashVector(
      "firebase-hmac-sha256", "correct horse",
      """
      $hmac-sha256$pf=e1NBTFR9e1BBU1NXT1JEfQ==$dW9FaL7DcaU=$fboI7F7RSf4t6XnLPz8xlM6uG2SS3FVIz03/09dJd1\
      8=$+urXdovYJ/r5r/EU6u5OtA==
      """),
    StoredHashVector(
      "django-md5", "correct horse",
      "md5$GxLTk7BOtVj1CO6MH7gBPM$f5f418c526e2483f6254b282b4543aa5"),
    StoredHashVector(
      "sha512crypt-long",
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
      """
      $6$rounds=1000$1PdkYgp0CjD7CTBx$k5azoBj98tV93c/mVxB9dQislj8KZRaA0CFtpcAaTT9a3AKGyN5P2zUHA.xI8yc8\
      e1ANwwksFCJNZs.bCyJ4f.
      """),
    StoredHashVector(
      "bcrypt-utf8", "pässwörd €",
      "$2b$04$EU15D8ceBLAwPdHGCyZS1e6.gv2HbUEwcqd7cTLA0dhbg./IBIA.y"),
  ]

  /// Of 72 times x, by the PyPI package bcrypt.
  static let bcryptOf72 = "$2b$04$eeeeeeeeeeeeeeeeeeeeeOhcKPDssc8LgHLS9m.q60cVHQVeMIwE."

  /// The password of ``php``.
  static let phpPassword = "  it's \"5 < 6\" & \\ \t"

  /// Of ``phpPassword``, by `Tests/python/hashes.py`.
  static let php = [
    StoredHashVector(
      "wordpress-bcrypt", phpPassword, "$wp$2y$04$USufksxd5W5lDzei1V/IkOiWPORx4K42.jRZPpdVaNoug19gqCcaC"),
    StoredHashVector("wordpress-phpass", phpPassword, "$P$58zU/cRcixZaV4VTjZqjOLzUj33/.j0"),
    StoredHashVector("phpbb", phpPassword, "$H$5OWbOz6bt2dGextpp2UCyW4hXLqq4.0"),
  ]
}
