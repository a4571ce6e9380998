// swift-tools-version: 6.2
import PackageDescription

// A sanitizer has an allocator of its own (`./dev sanitize`).
let hasJemalloc = Context.environment["USER_SERVICE_SANITIZER"] == nil

let package = Package(
  name: "user-service",
  products: [
    .executable(name: "user-service", targets: ["user-service"]),
    .library(name: "UserDomain", targets: ["UserDomain"]),
    .library(name: "UserStore", targets: ["UserStore"]),
    .library(name: "UserStorePostgres", targets: ["UserStorePostgres"]),
    .library(name: "UserStoreSQLite", targets: ["UserStoreSQLite"]),
    .library(name: "PasswordHashing", targets: ["PasswordHashing"]),
    .library(name: "GRPCNghttp2Transport", targets: ["GRPCNghttp2Transport"]),
    .library(name: "PrometheusMetrics", targets: ["PrometheusMetrics"]),
    .library(name: "UserServiceClient", targets: ["UserServiceClient"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  ],
  targets: [
    .systemLibrary(name: "CArgon2", providers: [.apt(["libargon2-dev"])]),
    .systemLibrary(name: "CIdn2", providers: [.apt(["libidn2-dev"])]),
    .systemLibrary(name: "CJemalloc", providers: [.apt(["libjemalloc-dev"])]),
    .systemLibrary(name: "CLibpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CNghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CXcrypt", providers: [.apt(["libcrypt-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),

    // What several targets need and no library has: tools for secrets, texts of bytes, times and addresses, polling, thread
    // numbers. It imports none of the other targets.
    .target(name: "Primitives"),
    .target(
      name: "UserDomain",
      dependencies: ["CIdn2", "Primitives", .product(name: "Crypto", package: "swift-crypto")],
      exclude: ["CommonPasswords/common-passwords.txt", "CommonPasswords/LICENSE-Django"]
    ),
    .target(
      name: "PasswordHashing",
      dependencies: [
        "CArgon2",
        "CXcrypt",
        "Primitives",
        "UserDomain",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "CryptoExtras", package: "swift-crypto"),
        .product(name: "DequeModule", package: "swift-collections"),
      ]
    ),
    .target(
      name: "TokenSigning",
      dependencies: [
        "Primitives",
        "UserDomain",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "JWTKit", package: "jwt-kit"),
      ]
    ),
    // What every store shares: the queue of writes, decisions, the history of migrations. It knows no engine.
    .target(
      name: "UserStore",
      dependencies: [
        "Primitives",
        "UserDomain",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "DequeModule", package: "swift-collections"),
      ]
    ),
    .target(
      name: "UserStoreSQLite",
      dependencies: [
        "CSQLite",
        "Primitives",
        "UserDomain",
        "UserStore",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ]
    ),
    .target(
      name: "UserStorePostgres",
      dependencies: [
        "CLibpq",
        "Primitives",
        "UserDomain",
        "UserStore",
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]
    ),
    .target(
      name: "PrometheusMetrics",
      dependencies: ["Primitives", .product(name: "CoreMetrics", package: "swift-metrics")]
    ),
    .target(
      name: "UserProtos",
      dependencies: [
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["Generated/descriptor_set.binpb"]
    ),
    .target(
      name: "UserAPI",
      dependencies: [
        "Primitives",
        "UserDomain",
        "UserProtos",
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]
    ),
    .target(
      name: "GRPCNghttp2Transport",
      dependencies: [
        "CNghttp2",
        "CZlib",
        "Primitives",
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
      ]
    ),
    .target(
      name: "UserServiceClient",
      dependencies: [
        "Primitives",
        "UserProtos",
        .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]
    ),
    .target(name: "UserFiles", dependencies: ["Primitives", "UserServiceClient"]),
    .target(
      name: "UserServiceApp",
      dependencies: (hasJemalloc ? ["CJemalloc"] : []) + [
        "GRPCNghttp2Transport",
        "PasswordHashing",
        "Primitives",
        "PrometheusMetrics",
        "TokenSigning",
        "UserAPI",
        "UserDomain",
        "UserProtos",
        "UserStore",
        "UserStorePostgres",
        "UserStoreSQLite",
        .product(name: "Configuration", package: "swift-configuration"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ]
    ),

    .executableTarget(
      name: "user-service",
      dependencies: [
        "GRPCNghttp2Transport",
        "PasswordHashing",
        "Primitives",
        "TokenSigning",
        "UserDomain",
        "UserFiles",
        "UserProtos",
        "UserServiceApp",
        "UserServiceClient",
        "UserStore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
      ]
    ),
    .executableTarget(
      name: "user-service-bench",
      dependencies: [
        "CArgon2",
        "GRPCNghttp2Transport",
        "PasswordHashing",
        "PrometheusMetrics",
        "TokenSigning",
        "UserDomain",
        "UserProtos",
        "UserServiceApp",
        "UserStore",
        "UserStorePostgres",
        "UserStoreSQLite",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]
    ),

    .executableTarget(name: "libpq-yardstick", linkerSettings: [.linkedLibrary("pq")]),

    .executableTarget(
      name: "client-example", dependencies: ["UserServiceClient"], path: "Examples/ClientExample"
    ),
    .executableTarget(
      name: "greeter-example",
      dependencies: [
        "GRPCNghttp2Transport",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      path: "Examples/Greeter"
    ),

    .target(
      name: "TestSupport",
      dependencies: [
        "CLibpq",
        "UserDomain",
        "UserStore",
        "UserStorePostgres",
        "VisibleMutex",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/TestSupport"
    ),
    .target(name: "VisibleMutex", path: "Tests/VisibleMutex"),
    .target(
      name: "FaultVFS", path: "Tests/FaultVFS", linkerSettings: [.linkedLibrary("sqlite3")]
    ),
    .executableTarget(
      name: "store-probe",
      dependencies: ["TestSupport", "UserDomain", "UserStore", "UserStoreSQLite"],
      path: "Tests/StoreProbe"
    ),
    .target(
      name: "InteropProtos",
      dependencies: [
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      path: "Tests/InteropProtos",
      exclude: ["protos"]
    ),
    .executableTarget(
      name: "interop-server",
      dependencies: [
        "GRPCNghttp2Transport",
        "InteropProtos",
        "VisibleMutex",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      path: "Tests/InteropServer"
    ),
    .executableTarget(
      name: "transport-fuzzer",
      dependencies: [
        "GRPCNghttp2Transport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
      ],
      path: "Tests/TransportFuzzer"
    ),
    .testTarget(
      name: "UserDomainTests",
      dependencies: [
        "PasswordHashing",
        "Primitives",
        "TestSupport",
        "UserDomain",
        "UserStoreSQLite",
        .product(name: "Crypto", package: "swift-crypto"),
      ]
    ),
    .testTarget(name: "PrimitivesTests", dependencies: ["Primitives", "TestSupport"]),
    .testTarget(
      name: "TokenSigningTests", dependencies: ["Primitives", "TestSupport", "TokenSigning", "UserDomain"]),
    .testTarget(
      name: "PasswordHashingTests", dependencies: ["CArgon2", "PasswordHashing", "TestSupport", "UserDomain"]
    ),
    .testTarget(name: "UserStoreTests", dependencies: ["Primitives", "UserDomain", "UserStore"]),
    // What is true of every store, on each engine.
    .testTarget(
      name: "StoreConformanceTests",
      dependencies: ["TestSupport", "UserDomain", "UserStore", "UserStorePostgres", "UserStoreSQLite"]
    ),
    .testTarget(
      name: "UserStorePostgresTests",
      dependencies: ["TestSupport", "UserDomain", "UserStore", "UserStorePostgres"]
    ),
    .testTarget(
      name: "UserStoreSQLiteTests",
      dependencies: [
        "FaultVFS",
        "TestSupport",
        "UserDomain",
        "UserStore",
        "UserStoreSQLite",
        "store-probe",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ]
    ),
    .testTarget(
      name: "UserAPITests",
      dependencies: [
        "PasswordHashing",
        "PrometheusMetrics",
        "TestSupport",
        "UserAPI",
        "UserDomain",
        "UserProtos",
        "UserStoreSQLite",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]
    ),
    .testTarget(
      name: "GRPCNghttp2TransportTests",
      dependencies: [
        "GRPCNghttp2Transport",
        "InteropProtos",
        "TestSupport",
        "greeter-example",
        "interop-server",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]
    ),
    .testTarget(
      name: "PrometheusMetricsTests",
      dependencies: ["PrometheusMetrics", .product(name: "CoreMetrics", package: "swift-metrics")]
    ),
    .testTarget(name: "UserFilesTests", dependencies: ["UserFiles", "UserServiceClient"]),
    .testTarget(
      name: "UserServiceAppTests",
      dependencies: [
        "GRPCNghttp2Transport",
        "PasswordHashing",
        "PrometheusMetrics",
        "TestSupport",
        "TokenSigning",
        "UserAPI",
        "UserDomain",
        "UserServiceApp",
        "UserStoreSQLite",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]
    ),
    .testTarget(
      name: "UserServiceClientTests",
      dependencies: [
        "GRPCNghttp2Transport",
        "Primitives",
        "TestSupport",
        "UserAPI",
        "UserDomain",
        "UserProtos",
        "UserServiceClient",
        "client-example",
        "user-service",
        .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]
    ),
    .testTarget(
      name: "UserServiceTests",
      dependencies: [
        "PrometheusMetrics",
        "TestSupport",
        "UserProtos",
        "UserServiceApp",
        "UserStore",
        "UserStoreSQLite",
        "user-service",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]
    ),
  ],
  swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system && target.name != "libpq-yardstick" {
  target.swiftSettings = [
    // `any` marks every existential (SE-0335).
    .enableUpcomingFeature("ExistentialAny"),
    // An import is visible only where it is written (SE-0444) and is not re-exported unless it says so
    // (SE-0409).
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    // A nonisolated async function stays on its caller's executor (SE-0461): no hop on the read path.
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    // A newer toolchain or dependency may deprecate what we use; that must not break a stranger's build.
    .treatWarning("DeprecatedDeclaration", as: .warning),
  ]
  if hasJemalloc { target.swiftSettings?.append(.define("JEMALLOC")) }
}
