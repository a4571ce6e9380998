import UserDomain

/// What becomes of a call, as far as its caller is concerned.
enum Decision<Permitted> {
  /// The call may be made.
  case permit(Permitted)
  /// The call ends with the error. `bearer` is the principal of its token, if that is valid.
  case refuse(UserError, bearer: Principal?)
  /// What is known of the token does not suffice, and nothing was counted: a more thorough check has to decide.
  case undecided
}
