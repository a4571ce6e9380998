import UserDomain

/// Work on many rows of one call.
enum BulkWork {
  /// Performs `work`, and retries after a pause while a queue is full. The pause applies back-pressure to the client's
  /// stream: right for a bulk load, where a single call should get an error.
  static func retrying<Value>(
    _ work: () async throws(UserError) -> Value
  ) async throws(UserError) -> Value {
    while true {
      do throws(UserError) {
        return try await work()
      } catch {
        guard case .overloaded(let delay) = error else { throw error }
        do {
          try await Task.sleep(for: delay)
        } catch {
          // Sleeping throws only when the call is cancelled.
          throw .cancelled
        }
      }
    }
  }

  /// Returns the outputs of `transform` for `inputs`, in their order, computed a few at once.
  ///
  /// - Throws: the first error of `transform`.
  static func map<Input: Sendable, Output: Sendable>(
    _ inputs: [Input], atOnce: Int, _ transform: @escaping @Sendable (Input) async throws -> Output
  ) async throws -> [Output] {
    if inputs.isEmpty { return [] }
    return try await withThrowingTaskGroup(of: (Int, Output).self) { group in
      var outputs: [Output?] = Array(repeating: nil, count: inputs.count)
      for (index, input) in inputs.enumerated() {
        if index >= atOnce, let (index, output) = try await group.next() { outputs[index] = output }
        group.addTask { (index, try await transform(input)) }
      }
      for try await (index, output) in group { outputs[index] = output }
      return outputs.compactMap(\.self)
    }
  }
}
