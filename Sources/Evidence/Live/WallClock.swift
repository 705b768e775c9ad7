import Foundation
package import Wire

/// The present of this machine.
package enum WallClock {
  package static var now: Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)) }
}
