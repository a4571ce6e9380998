import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// The response of a BulkCreateUsers call while it grows, smaller than its messages would be. It stays under gRPC's
/// default message size of 4 MiB.
struct BulkResponse {
  /// Room for the largest response: 4 MiB less the two counts.
  private static let largest = (4 << 20) - 64
  /// An id takes 38 bytes in the response, a failure without its details fewer.
  private static let bytesPerRow = 38
  /// Rows of which messages are made at once.
  private static let piece = 1_000

  private let outcomes: CallMemory.Share
  private let details: CallMemory.Share
  private var ids: [UserID] = []
  private var failures: [(index: Int32, code: Int32)] = []
  /// The serialized statuses of the failures that have their details: the first ones.
  private var statuses: [[UInt8]] = []
  private var statusBytes = 0
  private var roomForDetails = largest

  init(outcomes: CallMemory.Share, details: CallMemory.Share) {
    self.outcomes = outcomes
    self.details = details
  }

  /// Users that are stored.
  var createdCount: Int { ids.count }

  /// Prepares for the outcomes of `new` rows, the last of `rows`: takes the details of the last failures that have some,
  /// when these rows need their room.
  ///
  /// - Throws: `UserError.overloaded` if they do not fit into memory.
  mutating func makeRoom(rows: Int, new: Int) throws(UserError) {
    if new == 0 { return }
    guard outcomes.hold(new * MemoryLayout<UserID>.stride) else {
      throw .overloaded(retryAfter: .seconds(1))
    }
    roomForDetails = Self.largest - rows * Self.bytesPerRow
    while statusBytes > roomForDetails, let last = statuses.popLast() { statusBytes -= last.count }
  }

  /// The next row's user is stored.
  mutating func created(_ id: UserID) { ids.append(id) }

  /// The row at `index` was not stored.
  mutating func failed(_ status: GoogleRPCStatus, index: Int) throws {
    let bytes: [UInt8] = try status.serializedBytes()
    // Once one has lost its details, those after it have none either.
    if statuses.count == failures.count, statusBytes + bytes.count <= roomForDetails,
      details.hold(bytes.count + 48)
    {
      statuses.append(bytes)
      statusBytes += bytes.count
    }
    failures.append((Int32(index), Int32(status.code.rawValue)))
  }

  /// The response's wire format. It is made in pieces: messages one behind the other are one message
  /// (protobuf.dev/programming-guides/encoding/#last-one-wins).
  func serialized() throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.bytesPerRow * (ids.count + failures.count) + statusBytes + 64)
    bytes +=
      try User_V1_BulkCreateResponse.with { $0.createdCount = Int32(ids.count) }
      .serializedBytes() as [UInt8]
    for start in stride(from: 0, to: ids.count, by: Self.piece) {
      bytes +=
        try User_V1_BulkCreateResponse.with { response in
          response.userIds = ids[start..<min(start + Self.piece, ids.count)].map(\.description)
        }.serializedBytes() as [UInt8]
    }
    for start in stride(from: 0, to: failures.count, by: Self.piece) {
      bytes +=
        try User_V1_BulkCreateResponse.with { response in
          response.failures = try (start..<min(start + Self.piece, failures.count)).map(failure)
        }.serializedBytes() as [UInt8]
    }
    return bytes
  }

  private func failure(_ number: Int) throws -> User_V1_BulkCreateFailure {
    let (index, code) = failures[number]
    return try .with { failure in
      failure.index = index
      // Our own generated type of the same message as the library's, which is not public.
      if number < statuses.count {
        failure.status = try Google_Rpc_Status(serializedBytes: statuses[number])
      } else {
        failure.status.code = code
      }
    }
  }
}
