import TestSupport
import Testing
import UserDomain

@testable import UserStorePostgres

/// Tests the binary forms of values against what the server makes of them.
@Suite(.tags(.io), .fewAtOnce) struct SQLValueTests {
  private func execute(_ handle: LibpqHandle, _ sql: String, _ values: SQLValue...) throws -> QueryResult {
    try handle.execute(Command(Statement("", sql), values))
  }

  private static let id = UserID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
  private static let idText = "01234567-89ab-cdef-fedc-ba9876543210"

  private static let scalars: [(SQLValue, type: String, text: String?)] = [
    (.id(id), "uuid", idText),
    (.bytes(Array(repeating: 0xff, count: 16)), "uuid", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    (.bytes([]), "bytea", "\\x"), (.bytes([0, 1, 255]), "bytea", "\\x0001ff"),
    (.text("é\u{301}"), "bytea", "\\xc3a9cc81"),
    (.text(""), "text", ""), (.text("Ada 😀 \\ ' \""), "text", "Ada 😀 \\ ' \""),
    (.integer(.min), "bigint", "-9223372036854775808"), (.integer(-1), "bigint", "-1"),
    (.integer(.max), "bigint", "9223372036854775807"),
    (.time(Timestamp(microsecondsSinceEpoch: 1_764_000_000_000_001)), "bigint", "1764000000000001"),
    (.small(.min), "smallint", "-32768"), (.small(258), "smallint", "258"),
    (.flag(true), "boolean", "true"), (.flag(false), "boolean", "false"),
    (.null, "uuid", nil), (.null, "bytea", nil), (.null, "text", nil), (.text(nil), "text", nil),
    (.id(nil), "uuid", nil),
    (.time(nil), "bigint", nil),
  ]

  @Test("the server understands each value as it is meant", arguments: postgresVersions)
  func scalars(programs: PostgresPrograms?) async throws {
    let handle = try connect(try await newDatabase(programs))
    for (value, type, text) in Self.scalars {
      let rows = try execute(handle, "SELECT $1::\(type)::text", value)
      #expect((rows.isNull(0, 0) ? nil : rows.text(0, 0)) == text, "\(value) as \(type)")
    }
    // Several at once share a buffer, in which values may be empty or missing.
    let all = try execute(
      handle, "SELECT concat_ws('|', $1::text, $2::text, encode($3, 'hex'), $4::bigint, $5::text)",
      .text("a"), .text(""),
      .bytes([]), .null, .text("b"))
    #expect(all.text(0, 0) == "a|||b")
  }

  @Test("results are read as the server means them", arguments: postgresVersions)
  func results(programs: PostgresPrograms?) async throws {
    let handle = try connect(try await newDatabase(programs))
    let row = try execute(
      handle,
      "SELECT $1::uuid, -5::bigint, -7::smallint, true, false, '\\x00ff'::bytea, 'Ä'::text, NULL::bigint, 3::int",
      .id(Self.id))
    #expect(row.count == 1 && row.id(0, 0) == Self.id && row.integer(0, 1) == -5 && row.small(0, 2) == -7)
    #expect(row.flag(0, 3) && !row.flag(0, 4) && row.blob(0, 5) == [0, 255] && row.text(0, 6) == "Ä")
    #expect(row.isNull(0, 7) && row.optionalTime(0, 7) == nil && !row.isNull(0, 1))
    #expect(row.optionalTime(0, 1) == Timestamp(microsecondsSinceEpoch: -5))
    // Values of other types and lengths are no numbers, and no ids.
    #expect(row.integer(0, 8) == 0 && row.small(0, 8) == 0 && row.id(0, 8) == nil)
  }

  private static let arrays: [(SQLArray.Element, type: String, [SQLValue], text: String)] = [
    (
      .uuid, "uuid", [.id(id), .null, .bytes(Array(repeating: 0, count: 16))],
      "{\(idText),NULL,00000000-0000-0000-0000-000000000000}"
    ),
    (.bytea, "bytea", [.bytes([]), .text("é"), .null], "{\"\\\\x\",\"\\\\xc3a9\",NULL}"),
    (
      .bigint, "bigint", [.integer(.min), .integer(0), .integer(.max)],
      "{-9223372036854775808,0,9223372036854775807}"
    ),
    (.smallint, "smallint", [.small(-1), .null, .small(256)], "{-1,NULL,256}"),
    (
      .text, "text", [.text(""), .text("NULL"), .null, .text("a,\"b\\")],
      "{\"\",\"NULL\",NULL,\"a,\\\"b\\\\\"}"
    ),
    (.text, "text", [.null], "{NULL}"), (.uuid, "uuid", [], "{}"), (.text, "text", [], "{}"),
  ]

  @Test("the server understands each array as it is meant, from index 1 on", arguments: postgresVersions)
  func arrays(programs: PostgresPrograms?) async throws {
    let handle = try connect(try await newDatabase(programs))
    for (element, type, values, text) in Self.arrays {
      let array = SQLArray(element, values)
      let row = try execute(
        handle, "SELECT $1::\(type)[]::text, cardinality($1)::bigint, array_lower($1, 1)::bigint",
        .array(array))
      #expect(row.text(0, 0) == text)
      #expect(row.integer(0, 1) == Int64(values.count) && array.count == values.count)
      #expect(values.isEmpty ? row.isNull(0, 2) : row.integer(0, 2) == 1)
    }
  }

  @Test("arrays of many rows stay rows", arguments: postgresVersions)
  func manyRows(programs: PostgresPrograms?) async throws {
    let handle = try connect(try await newDatabase(programs))
    let count = 20_000
    var (ids, texts, numbers) = (SQLArray(.uuid, reserving: 20 * count), SQLArray(.text), SQLArray(.bigint))
    for number in 0..<count {
      ids.append(.id(UserID(high: 1, low: UInt64(number))))
      texts.append(number % 3 == 0 ? .null : .text(String(repeating: "x", count: number % 50)))
      numbers.append(.integer(Int64(number)))
    }
    let rows = try execute(
      handle,
      """
      SELECT number, id, text FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS row (id, text, number) ORDER BY number
      """, .array(ids), .array(texts), .array(numbers))
    #expect(rows.count == count)
    let areEqual = (0..<count).allSatisfy { number in
      rows.integer(number, 0) == Int64(number) && rows.id(number, 1) == UserID(high: 1, low: UInt64(number))
        && (number % 3 == 0 ? rows.isNull(number, 2) : rows.bytes(number, 2).count == number % 50)
    }
    #expect(areEqual)
  }

  @Test(
    "a refused statement or value says its SQLSTATE, and leaves the connection usable",
    arguments: postgresVersions)
  func refused(programs: PostgresPrograms?) async throws {
    let handle = try connect(try await newDatabase(programs))
    let failure = #expect(throws: PostgresFailure.self) {
      try execute(handle, "SELECT 1 / $1::bigint", .integer(0))
    }
    #expect(
      failure?.state == "22012" && failure?.origin == .statement && failure?.message == "division by zero")
    // An id of 15 bytes is not a uuid.
    let id = #expect(throws: PostgresFailure.self) {
      try execute(handle, "SELECT $1::uuid", .bytes(Array(repeating: 0, count: 15)))
    }
    #expect(id?.state == "08P01")
    #expect(try execute(handle, "SELECT $1::bigint", .integer(1)).integer(0, 0) == 1)
  }
}
