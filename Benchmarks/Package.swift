// swift-tools-version: 6.2
import PackageDescription

// A package of its own, without dependencies: it must not weigh on the build of what it measures.
let package = Package(
  name: "benchmarks",
  targets: [
    .executableTarget(
      name: "load", swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)])
  ]
)
