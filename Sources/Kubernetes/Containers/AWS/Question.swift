package import Mechanisms
package import Wire

/// What a program in a container asks of the world outside its pod.
package enum Question: Sendable, Equatable {
  /// A request to an AWS service.
  case aws(AWSQuestion)
  /// Credentials of the Pod Identity agent.
  case agent(uri: String, token: String)
  /// Credentials of the node's role.
  case instance
  /// Queries for names, and how long their answers are waited for.
  case names([StubQuery], timeout: Duration)
  /// A connection, and what is asked on it.
  case connect(Connection)
  /// What a command shows of the network and the logs around it, by its words.
  case host([String])
  /// Bytes that are sent over a connection as fast as it takes them.
  case transfer(Transfer)
  /// An ICMP echo to an address.
  case echo(String)

  package struct Connection: Sendable, Equatable {
    package var address: String
    package var port: Int
    package var method: String
    package var path: String
    /// Lines of the request's head, as a program was told to send them.
    package var headers: [String] = []
    package var body = ""

    /// The value of a header that was given.
    package func header(_ name: String) -> String? {
      headers.last { $0.lowercased().hasPrefix(name.lowercased() + ":") }.map {
        String($0.dropFirst(name.count + 1).drop { $0 == " " })
      }
    }
  }

  package struct Transfer: Sendable, Equatable {
    package var address: String
    package var port: Int
    package var seconds: Int
    /// How many; as many as the time allows where it isn't said.
    package var bytes: Int?
    /// From the other end to this one.
    package var isReversed: Bool
  }

  package struct AWSQuestion: Sendable, Equatable {
    package var service: String
    package var operation: String
    package var input: JSON
    package var region: String
    /// Nil for requests without a signature.
    package var signer: Signer?
    package var userAgent: String
  }

  /// With what a request is signed.
  package enum Signer: Sendable, Equatable {
    /// Credentials that AWS gave out, by their access key.
    case session(accessKeyID: String)
    /// Credentials that stood in a variable or a file.
    case typed(AWSCredentials)
  }
}

/// What the world says.
package enum QuestionReply: Sendable, Equatable {
  case output(JSON)
  case error(AWSError)
  /// Credentials, by their access key.
  case credentials(accessKeyID: String)
  /// The agent's answer that is none: its status and text.
  case refused(status: Int, String)
  /// What an SDK says where no connection comes about.
  case disconnected(String)
  /// Nobody answers.
  case unreachable
  /// There are none.
  case nothing
  /// Of queries for names, in their order.
  case names([StubAnswer])
  /// What came over a connection.
  case page(status: Int, contentType: String, body: String)
  /// The connection was refused.
  case closed
  /// The connection stands, and nobody knows what is said on it.
  case speechless(String)
  /// Nothing comes back.
  case silence
  /// What a command prints, and its status.
  case text(String, errors: String, status: Int)
}

extension PodSystem {
  /// Asks for a process, which goes on when the answer is there.
  func ask(_ question: Question, for process: Process) { effects.append(.asks(process: process.key, question)) }

  /// Gives a process its answer.
  package func answer(_ process: Int, _ reply: QuestionReply) { replies[process] = reply }
}
