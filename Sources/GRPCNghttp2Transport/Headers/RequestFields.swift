import GRPCCore

/// The metadata of a request as received: its names and values, concatenated in a recycled buffer.
struct RequestFields {
  /// The position of a field in `bytes`: its name, then its value.
  private struct Place {
    let start: Int
    let nameEnd: Int
    let end: Int
  }

  private var bytes: [UInt8] = []
  private var places: [Place] = []

  var capacity: Int { bytes.capacity + places.capacity * MemoryLayout<Place>.stride }

  mutating func append(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    let start = bytes.count
    bytes.append(contentsOf: name)
    bytes.append(contentsOf: value)
    places.append(Place(start: start, nameEnd: start + name.count, end: bytes.count))
  }

  /// Removes the fields and keeps the memory.
  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    places.removeAll(keepingCapacity: true)
  }

  /// Calls `body` with the value of the only field named `name`, in lower case, or with nil if there is none or more
  /// than one.
  func withOnlyValue<Result>(of name: StaticString, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
    bytes.withUnsafeBufferPointer { bytes in
      var found: UnsafeRawBufferPointer?
      for place in places where bytes.slice(place.start, place.nameEnd).equals(name) {
        if found != nil { return body(nil) }
        found = UnsafeRawBufferPointer(bytes.slice(place.nameEnd, place.end))
      }
      return body(found)
    }
  }

  /// The fields as GRPCCore's metadata. Binary values are decoded and must have been checked.
  var metadata: Metadata {
    bytes.withUnsafeBufferPointer { bytes in
      var metadata = Metadata()
      metadata.reserveCapacity(places.count)
      for place in places {
        let name = bytes.slice(place.start, place.nameEnd)
        let key = String(decoding: name, as: UTF8.self)
        let value = bytes.slice(place.nameEnd, place.end)
        if name.ends(with: "-bin") {
          for value in BinaryMetadata.decode(value) ?? [] { metadata.addBinary(value, forKey: key) }
        } else {
          metadata.addString(String(decoding: value, as: UTF8.self), forKey: key)
        }
      }
      return metadata
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  fileprivate func slice(_ start: Int, _ end: Int) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(rebasing: self[start..<end])
  }
}
