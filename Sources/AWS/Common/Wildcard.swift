/// Whether a text fits a pattern with `*` (any run) and `?` (any one).
func wildcard(_ pattern: String, matches text: String) -> Bool {
  let pattern = Array(pattern.unicodeScalars)
  let text = Array(text.unicodeScalars)
  var (p, t) = (0, 0)
  var star: (pattern: Int, text: Int)?
  while t < text.count {
    if p < pattern.count, pattern[p] == "?" || (pattern[p] == text[t] && pattern[p] != "*") {
      p += 1
      t += 1
    } else if p < pattern.count, pattern[p] == "*" {
      star = (p, t)
      p += 1
    } else if let back = star {
      p = back.pattern + 1
      t = back.text + 1
      star = (back.pattern, t)
    } else {
      return false
    }
  }
  while p < pattern.count, pattern[p] == "*" { p += 1 }
  return p == pattern.count
}
