// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "user-service",
  products: [
    .executable(name: "user-service", targets: ["user-service"]),
    .library(name: "UserDomain", targets: ["UserDomain"]),
    .library(name: "UserStore", targets: ["UserStore"]),
    .library(name: "PasswordHashing", targets: ["PasswordHashing"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
  ],
  targets: [
    .systemLibrary(name: "CArgon2", providers: [.apt(["libargon2-dev"])]),

    .target(name: "UserDomain"),
    .target(name: "PasswordHashing", dependencies: ["UserDomain", "CArgon2"]),
    .target(
      name: "UserStore",
      dependencies: [
        "UserDomain",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ]
    ),

    .executableTarget(
      name: "user-service",
      dependencies: [
        "PasswordHashing",
        "UserDomain",
        "UserStore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]
    ),
    .executableTarget(
      name: "user-service-bench",
      dependencies: [
        "CArgon2",
        "PasswordHashing",
        "UserDomain",
        "UserStore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ]
    ),

    .target(name: "TestSupport", dependencies: ["UserDomain", "UserStore"], path: "Tests/TestSupport"),
    .executableTarget(
      name: "store-probe",
      dependencies: ["TestSupport", "UserDomain", "UserStore"],
      path: "Tests/StoreProbe"
    ),
    .testTarget(name: "UserDomainTests", dependencies: ["PasswordHashing", "UserDomain", "UserStore"]),
    .testTarget(name: "PasswordHashingTests", dependencies: ["PasswordHashing", "UserDomain", "CArgon2"]),
    .testTarget(
      name: "UserStoreTests",
      dependencies: [
        "TestSupport",
        "UserDomain",
        "UserStore",
        "store-probe",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ]
    ),
    .testTarget(name: "UserServiceTests", dependencies: ["TestSupport", "user-service"]),
  ],
  swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
  target.swiftSettings = [
    // `any` marks every existential (SE-0335).
    .enableUpcomingFeature("ExistentialAny"),
    // An import is visible only where it is written (SE-0444) and is not re-exported unless it says so (SE-0409).
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    // A nonisolated async function stays on its caller's executor (SE-0461): no hop on the read path.
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    // A newer toolchain or dependency may deprecate what we use; that must not break a stranger's build.
    .treatWarning("DeprecatedDeclaration", as: .warning),
  ]
}
