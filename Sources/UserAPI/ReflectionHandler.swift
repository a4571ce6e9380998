public import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import UserProtos

/// `grpc.reflection.v1.ServerReflection` and its older twin `v1alpha`
/// (github.com/grpc/grpc, doc/server-reflection.md).
///
/// grpc-swift-extras is not used: its streams keep a task each for as long as their clients stay.
public struct ReflectionHandler: Sendable {
  /// The one method, under both names.
  public let streamedMethods: [StreamedMethod]

  /// Creates the service over a serialized google.protobuf.FileDescriptorSet; its calls go through `calls`. It lists
  /// the services named in `services`.
  ///
  /// - Throws: `BinaryDecodingError` if `descriptorSet` cannot be decoded.
  public init(descriptorSet: [UInt8], services: [String], calls: CallPipeline) throws {
    let index = try DescriptorIndex(descriptorSet, services: services)
    streamedMethods = MethodDescriptor.serverReflection.map { method in
      StreamedMethod(method, calls) { authorization, _ in
        ReflectionCall(index: index, authorization: authorization)
      }
    }
  }

  /// Registers the handler under both names: the messages of `v1` and `v1alpha` are the same on the wire.
  public func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    for method in streamedMethods { method.register(with: &router) }
  }
}

/// One call of server reflection.
struct ReflectionCall: StreamedCall {
  private let index: DescriptorIndex
  private let authorization: CallAuthorization
  private var isFirst = true

  fileprivate init(index: DescriptorIndex, authorization: CallAuthorization) {
    self.index = index
    self.authorization = authorization
  }

  mutating func receive(_ message: [UInt8]) throws -> StreamedCallStep {
    let request = try Grpc_Reflection_V1_ServerReflectionRequest(request: message)
    try authorization.checkStillValid()
    // The call itself paid for the first message.
    if !isFirst { try authorization.admit(.little) }
    isFirst = false
    return .send(try index.answer(request).serializedBytes())
  }
}

/// The declarations of a descriptor set, by name.
struct DescriptorIndex: Sendable {
  private let services: [String]
  private var files: [String: Google_Protobuf_FileDescriptorProto] = [:]
  private var fileNames: [String: String] = [:]

  init(_ descriptorSet: [UInt8], services: [String]) throws {
    self.services = services.sorted()
    for file in try Google_Protobuf_FileDescriptorSet(serializedBytes: descriptorSet).file {
      files[file.name] = file
      for symbol in Self.symbols(of: file) { fileNames[symbol] = file.name }
    }
  }

  func answer(_ request: Grpc_Reflection_V1_ServerReflectionRequest) throws
    -> Grpc_Reflection_V1_ServerReflectionResponse
  {
    var response = Grpc_Reflection_V1_ServerReflectionResponse()
    response.validHost = request.host
    response.originalRequest = request
    switch request.messageRequest {
    case .listServices:
      response.listServicesResponse = .with { list in
        list.service = services.map { name in .with { $0.name = name } }
      }
    case .fileByFilename(let name) where files[name] != nil:
      response.fileDescriptorResponse = try descriptors(of: name)
    case .fileContainingSymbol(let symbol):
      if let name = fileNames[symbol] {
        response.fileDescriptorResponse = try descriptors(of: name)
      } else {
        response.errorResponse = Self.notFound
      }
    case .allExtensionNumbersOfType(let type) where fileNames[type] != nil:
      // proto3 messages have no extensions.
      response.allExtensionNumbersResponse = .with { $0.baseTypeName = type }
    case .fileByFilename, .fileContainingExtension, .allExtensionNumbersOfType:
      response.errorResponse = Self.notFound
    case nil:
      response.errorResponse = .with {
        $0.errorCode = Int32(Status.Code.invalidArgument.rawValue)
        $0.errorMessage = "the request is empty"
      }
    }
    return response
  }

  /// Returns the file and everything that it imports, the file first.
  private func descriptors(of name: String) throws -> Grpc_Reflection_V1_FileDescriptorResponse {
    var seen: Set<String> = []
    var waiting = [name]
    var response = Grpc_Reflection_V1_FileDescriptorResponse()
    while let next = waiting.popLast() {
      guard seen.insert(next).inserted, let file = files[next] else { continue }
      response.fileDescriptorProto.append(try file.serializedData())
      waiting += file.dependency
    }
    return response
  }

  private static var notFound: Grpc_Reflection_V1_ErrorResponse {
    .with {
      $0.errorCode = Int32(Status.Code.notFound.rawValue)
      $0.errorMessage = "not found"
    }
  }

  private static func symbols(of file: Google_Protobuf_FileDescriptorProto) -> [String] {
    let scope = file.package.isEmpty ? "" : file.package + "."
    return file.messageType.flatMap { symbols(of: $0, in: scope) }
      + file.enumType.flatMap { symbols(of: $0, in: scope) }
      + file.service.flatMap { service in
        [scope + service.name] + service.method.map { "\(scope)\(service.name).\($0.name)" }
      }
  }

  private static func symbols(of message: Google_Protobuf_DescriptorProto, in scope: String) -> [String] {
    let name = scope + message.name
    let inner = name + "."
    return [name] + message.field.map { inner + $0.name } + message.oneofDecl.map { inner + $0.name }
      + message.nestedType.flatMap { symbols(of: $0, in: inner) }
      + message.enumType.flatMap { symbols(of: $0, in: inner) }
  }

  /// The values of an enum are siblings of the enum, not its children (google/protobuf/descriptor.proto).
  private static func symbols(of type: Google_Protobuf_EnumDescriptorProto, in scope: String) -> [String] {
    [scope + type.name] + type.value.map { scope + $0.name }
  }
}
