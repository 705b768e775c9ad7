// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6), .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

// The packets' rooms of the house by links, so that nothing else is built for what is measured in them.
let package = Package(
  name: "walks",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .target(name: "CGenerated"),
    .target(
      name: "Wire", dependencies: ["CGenerated", "Yams", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(name: "Mechanisms", dependencies: ["Wire", "CGenerated"], swiftSettings: settings),
    .executableTarget(name: "walks", dependencies: ["Mechanisms", "Wire"], swiftSettings: settings),
  ],
  cLanguageStandard: .c2x
)
