import Wire

extension APIServer {
  func seed() {}
}
