import Foundation

/// A command that ends without an answer: what to say, and the status.
struct Failure: Error {
  static let unreachable: Int32 = 4
  static let ownFault: Int32 = 70

  var message: String
  var status: Int32

  init(_ message: String, status: Int32 = Failure.ownFault) {
    self.message = message
    self.status = status
  }
}

func exit(withStatus status: Int32) -> Never {
  fflush(nil)
  exit(status)
}
