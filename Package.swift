// swift-tools-version: 6.2
import PackageDescription

// Arrows point down only; the picture is in docs/how-it-works.md.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// Swift 6.3's optimiser ends with an ownership error of its own in this pass, on loops of the kubelet.
let withoutCopyPropagation: [SwiftSetting] = [
  .unsafeFlags(["-Xllvm", "-sil-disable-pass=copy-propagation"], .when(configuration: .release))
]

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"),
  .product(name: "NIOPosix", package: "swift-nio"),
  .product(name: "NIOHTTP1", package: "swift-nio"),
  .product(name: "NIOHTTP2", package: "swift-nio-http2"),
  .product(name: "NIOSSL", package: "swift-nio-ssl"),
  .product(name: "NIOWebSocket", package: "swift-nio"),
]

/// A module of the house and the tests that stand beside it.
func room(
  _ name: String, _ dependencies: [Target.Dependency], path: String? = nil, exclude: [String] = [],
  more: [SwiftSetting] = [], tests: [Target.Dependency] = []
) -> [Target] {
  [
    .target(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: settings + more),
    .testTarget(
      name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies + tests, swiftSettings: settings),
  ]
}

let package = Package(
  name: "ekswhy",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "ekswhy", targets: ["ekswhy"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
  ],
  targets: [
    .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CGenerated"),
    .target(name: "CTimeZones"),
    .executableTarget(
      name: "ekswhy",
      dependencies: [
        "Local", "Gateway", "Why", "Evidence", "World", "Mechanisms", "Wire",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: settings),
    .target(
      name: "Trials", dependencies: ["Evidence", "Mechanisms", "Why", "Wire"], path: "Tests/Trials",
      swiftSettings: settings),
    .testTarget(
      name: "EndToEndTests", dependencies: ["Wire", "Mechanisms", "Evidence", "Why", "Trials"],
      swiftSettings: settings),
  ]
    + room("Wire", ["CGenerated", "Yams", crypto])
    + room("Mechanisms", ["Wire", "CGenerated"])
    + room("CEL", ["Wire"])
    + room("World", ["Wire", "Mechanisms", "CSQLite"])
    + room("Containers", ["CGenerated", "Mechanisms", "Wire"], path: "Sources/Kubernetes/Containers")
    + room(
      "Kubernetes", ["CEL", "CGenerated", "CTimeZones", "Containers", "World", "Mechanisms", "Wire"],
      exclude: ["Containers"], more: withoutCopyPropagation)
    + room("AWS", ["World", "Mechanisms", "Wire"])
    + room("EKS", ["CGenerated", "World", "Mechanisms", "Wire"], tests: ["AWS"])
    + room("InCluster", ["World", "Mechanisms", "Wire", "CGenerated"])
    + room(
      "Local",
      [
        "AWS", "EKS", "InCluster", "Kubernetes", "World", "Mechanisms", "Wire", crypto, cryptoExtras, x509, asn1,
        httpClient, .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ])
    + room("Gateway", ["Wire", "CZlib", crypto, x509] + nio, tests: [httpClient])
    + room(
      "Evidence",
      [
        "Wire", crypto, httpClient, .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ])
    + room("Why", ["Evidence", "Mechanisms", "Wire"], tests: ["Trials"]),
  cLanguageStandard: .c2x
)
