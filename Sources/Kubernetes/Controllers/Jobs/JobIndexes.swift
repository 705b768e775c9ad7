/// A set of completion indexes as a Job's status writes it: `0-2,5`.
struct JobIndexes: Equatable {
  /// In order.
  private(set) var values: [Int] = []

  init(_ values: some Sequence<Int> = []) { self.values = Set(values).sorted() }

  init(text: String, below limit: Int) {
    var found: [Int] = []
    for part in text.split(separator: ",") {
      let bounds = part.split(separator: "-").compactMap { Int($0) }
      guard let first = bounds.first, let last = bounds.last, first <= last, first < limit else { continue }
      found += first...min(last, limit - 1)
    }
    self.init(found)
  }

  var count: Int { values.count }
  func contains(_ index: Int) -> Bool { values.contains(index) }
  func union(_ more: some Sequence<Int>) -> JobIndexes { JobIndexes(values + Array(more)) }

  var text: String {
    var parts: [String] = []
    var at = 0
    while at < values.count {
      var end = at
      while end + 1 < values.count, values[end + 1] == values[end] + 1 { end += 1 }
      switch end - at {
      case 0: parts.append("\(values[at])")
      case 1: parts += ["\(values[at])", "\(values[end])"]
      default: parts.append("\(values[at])-\(values[end])")
      }
      at = end + 1
    }
    return parts.joined(separator: ",")
  }
}
