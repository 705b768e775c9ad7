/// Why a program of the node's shell does not do what it is told: what it prints, and its exit status.
package struct CommandFault: Error, Sendable, Equatable {
  package var text: String
  package var status: Int

  package init(_ text: String, _ status: Int) {
    self.text = text
    self.status = status
  }
}
