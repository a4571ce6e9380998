import Foundation

/// Measures how soon `user-service serve` responds after its start, and its memory at that time.
struct StartBenchmark {
  let database: String
  let users: Int

  private static let rounds = 11

  func run(into report: inout Report) throws {
    try start(into: &report)
    let size = try FileManager.default.attributesOfItem(atPath: BenchServer.program.path)[.size] as? Int ?? 0
    report.line("size of the program", ours: Double(size) / 1_048_576, raw: nil, unit: "MiB")
  }

  /// Measures the start.
  func start(into report: inout Report) throws {
    var times: [Double] = []
    var memory: [Double] = []
    for _ in 0..<Self.rounds {
      let start = DispatchTime.now().uptimeNanoseconds
      let server = try BenchServer(programServing: database)
      defer { server.stop() }
      let call = LoadGenerator(
        address: server.address,
        headers: LoadGenerator.headers("/grpc.health.v1.Health/Check", at: server.address), connections: 1,
        streams: 1)
      // An empty message asks for the health of the whole service.
      guard try call.run(1, body: { _ in [0, 0, 0, 0, 0] }).failures == 0 else {
        throw RawDatabase.Failure(description: "the first call has failed")
      }
      times.append(Double(DispatchTime.now().uptimeNanoseconds - start) / 1_000_000)
      memory.append(try server.privateBytes / 1_048_576)
    }
    report.line(
      "start to the first answer, \(users) users", ours: times.median, raw: nil, unit: "ms", note: "limit 30")
    report.line("private memory then", ours: memory.median, raw: nil, unit: "MiB", note: "limit 12")
  }
}
