import Foundation

/// The signals that end the process in good order. Blocked before the first thread is made, so that all
/// threads inherit it, and waited for by one.
enum Signals {
  static func block() -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in [SIGTERM, SIGINT] { sigaddset(&set, signal) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
    return set
  }

  static func wait(for set: sigset_t) -> Int32 {
    var set = set
    var signal: Int32 = 0
    while sigwait(&set, &signal) != 0 {}
    return signal
  }
}
