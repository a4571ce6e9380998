import UserDomain

/// The decision whether a caller may make a call.
enum Decision<Permitted> {
  /// The caller may make the call.
  case permit(Permitted)
  /// The call fails with the error. `bearer` is the principal of its token, if the token is valid.
  case refuse(UserError, bearer: Principal?)
  /// The cheap check cannot decide, and counted nothing; a thorough check must decide.
  case undecided
}
