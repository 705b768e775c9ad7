// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

// A package of its own, without dependencies but OpenSSL: it must not weigh on the build of what it measures.
let package = Package(
  name: "benchmarks",
  targets: [
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .executableTarget(name: "load", swiftSettings: settings),
    .executableTarget(name: "kubeload", dependencies: ["COpenSSL"], swiftSettings: settings),
  ]
)
