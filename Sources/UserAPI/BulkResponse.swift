import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos

/// The response of a BulkCreateUsers call as it grows, stored more compactly than as messages. It stays below gRPC's
/// default message size of 4 MiB.
struct BulkResponse {
  /// The maximum size of a response: 4 MiB less the two counts.
  private static let largest = (4 << 20) - 64
  /// The bytes of an id in the response: the field's tag and length, and the text. A failure without details takes fewer.
  private static let bytesPerRow = 2 + UserID.textLength
  /// The number of rows that are encoded at once.
  private static let piece = 1_000

  private let outcomes: CallMemory.Share
  private let details: CallMemory.Share
  private var ids: [UserID] = []
  private var failures: [(index: Int32, code: Int32)] = []
  /// The serialized statuses of the failures with details, which come first.
  private var statuses: [[UInt8]] = []
  private var statusBytes = 0
  private var roomForDetails = largest

  init(outcomes: CallMemory.Share, details: CallMemory.Share) {
    self.outcomes = outcomes
    self.details = details
  }

  /// The number of users stored so far.
  var createdCount: Int { ids.count }

  /// Reserves room for the outcomes of `new` rows, the last of `rows`. If it is short, the last failures lose their
  /// details.
  ///
  /// - Throws: `UserError.overloaded` if the outcomes do not fit into memory.
  mutating func makeRoom(rows: Int, new: Int) throws(UserError) {
    if new == 0 { return }
    guard outcomes.hold(new * MemoryLayout<UserID>.stride) else {
      throw .overloaded(retryAfter: .seconds(1))
    }
    roomForDetails = Self.largest - rows * Self.bytesPerRow
    while statusBytes > roomForDetails, let last = statuses.popLast() { statusBytes -= last.count }
  }

  /// Records that the next row's user is stored.
  mutating func created(_ id: UserID) { ids.append(id) }

  /// Records that the row at `index` was not stored.
  mutating func failed(_ status: GoogleRPCStatus, index: Int) throws {
    let bytes: [UInt8] = try status.serializedBytes()
    // Once one failure has lost its details, later ones get none either.
    if statuses.count == failures.count, statusBytes + bytes.count <= roomForDetails,
      details.hold(bytes.count + 48)
    {
      statuses.append(bytes)
      statusBytes += bytes.count
    }
    failures.append((Int32(index), Int32(status.code.rawValue)))
  }

  /// Returns the response's wire format. It is made in pieces: concatenated messages are one message
  /// (protobuf.dev/programming-guides/encoding/#last-one-wins).
  func serialized() throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.bytesPerRow * (ids.count + failures.count) + statusBytes + 64)
    bytes +=
      try User_V1_BulkCreateResponse.with { $0.createdCount = Int32(ids.count) }
      .serializedBytes() as [UInt8]
    for start in stride(from: 0, to: ids.count, by: Self.piece) {
      bytes += Self.idFields(ids[start..<min(start + Self.piece, ids.count)])
    }
    for start in stride(from: 0, to: failures.count, by: Self.piece) {
      bytes +=
        try User_V1_BulkCreateResponse.with { response in
          response.failures = try (start..<min(start + Self.piece, failures.count)).map(failure)
        }.serializedBytes() as [UInt8]
    }
    return bytes
  }

  /// Returns the fields `user_ids` of the response, as SwiftProtobuf would write them, without texts in between.
  private static func idFields(_ ids: ArraySlice<UserID>) -> [UInt8] {
    [UInt8](count: bytesPerRow * ids.count) { buffer in
      var rest = buffer[...]
      for id in ids {
        let field = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(bytesPerRow))
        field[0] = 2 << 3 | 2  // Number and wire type.
        field[1] = UInt8(UserID.textLength)
        id.writeText(to: UnsafeMutableRawBufferPointer(rebasing: field[2...]))
        rest = rest.dropFirst(bytesPerRow)
      }
    }
  }

  private func failure(_ number: Int) throws -> User_V1_BulkCreateFailure {
    let (index, code) = failures[number]
    return try .with { failure in
      failure.index = index
      // A generated type of this package: the library's type of the same message is not public.
      if number < statuses.count {
        failure.status = try Google_Rpc_Status(serializedBytes: statuses[number])
      } else {
        failure.status.code = code
      }
    }
  }
}
