import UserDomain

/// The decision whether a caller may make a call.
enum Decision<Permitted> {
  /// The caller may make the call.
  case permit(Permitted)
  /// The call fails with the error. `bearer` is the principal of its token, if the token is valid.
  case refuse(UserError, bearer: Principal?)
  /// The check lacks something to decide, and counted nothing; another one must decide.
  case undecided(Lack)
}

/// What a check of a token lacks to decide.
enum Lack {
  /// A check of the signature.
  case signature
  /// A key that is newer than the last read of the key files.
  case keys
  /// What another process has done since the last read of its revocations, by which the token may be valid.
  case revocations
}
