import Mechanisms
import Wire

/// The AWS CLI in a container. It looks for credentials as botocore does, and asks the services of the account.
enum AWSCommand {
  static let version = "aws-cli/2.22.35 Python/3.12.6 Linux/\(PodSystem.kernel) docker/x86_64.amzn.2"

  /// Where the command stands, in `CommandState.phase`.
  private enum Phase: Int { case begins, asksSTS, asksAgent, asksInstance, calls }

  static func run(_ call: Call) throws(FileFault) -> CommandOutcome {
    let line: AWSArguments
    let request: AWSRequestLine
    do throws(AWSArguments.Fault) {
      line = try AWSArguments(call.arguments)
      if line.wantsVersion {
        call.out(version + "\n")
        return .exit(0)
      }
      request = try AWSRequestLine(line)
    } catch {
      call.raw(error.text)
      return .exit(error.code)
    }
    let reply = call.system.replies.removeValue(forKey: call.process.key)
    switch Phase(rawValue: call.state.phase) ?? .begins {
    case .begins: return try begin(call, line, request)
    case .asksSTS: return afterSTS(call, line, request, reply)
    case .asksAgent: return afterAgent(call, line, request, reply)
    case .asksInstance:
      guard case .credentials(let key)? = reply else { return noCredentials(call) }
      return send(call, line, request, signer: .session(accessKeyID: key))
    case .calls: return end(call, line, request, reply)
    }
  }

  // MARK: - Credentials

  private static func begin(_ call: Call, _ line: AWSArguments, _ request: AWSRequestLine) throws(FileFault)
    -> CommandOutcome
  {
    let environment = call.system.environment(of: call.process)
    if request.isUnsigned || line.isUnsigned { return send(call, line, request, signer: nil) }
    let profile = try AWSProfile(line.profile ?? environment["AWS_PROFILE"], environment, call)
    if let name = line.profile ?? environment["AWS_PROFILE"], profile == nil {
      return fail(call, "The config profile (\(name)) could not be found", 255)
    }
    let chain = CredentialChain.decide(
      .init(environment: .known(environment), hasSharedFile: .known(profile?.credentials != nil)))
    guard let provider = chain.value else {
      return chain.reasons.last.map { reason in
        reason.code.hasSuffix("metadata-disabled") ? noCredentials(call) : fail(call, reason.text, 253)
      } ?? noCredentials(call)
    }
    switch provider {
    case .environment(let key):
      let typed = AWSCredentials(
        accessKeyID: key, secretAccessKey: environment["AWS_SECRET_ACCESS_KEY"] ?? "",
        sessionToken: environment["AWS_SESSION_TOKEN"])
      return send(call, line, request, signer: .typed(typed))
    case .sharedFile:
      guard let typed = profile?.credentials else { return noCredentials(call) }
      return send(call, line, request, signer: .typed(typed))
    case .webIdentity(let role, let file):
      guard let token = try readToken(file, call) else { return .exit(255) }
      guard let region = region(line, call) else { return noRegion(call) }
      let session = environment["AWS_ROLE_SESSION_NAME"] ?? "botocore-session-\(call.now.seconds)"
      let input: JSON = [
        "RoleArn": .string(role), "RoleSessionName": .string(session), "WebIdentityToken": .string(token),
      ]
      call.state.phase = Phase.asksSTS.rawValue
      return ask(
        call,
        .aws(
          .init(
            service: "sts", operation: "AssumeRoleWithWebIdentity", input: input, region: region, signer: nil,
            userAgent: userAgent(request))))
    case .container(let uri, let file):
      var token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] ?? ""
      if let file {
        guard let text = try readToken(file, call) else { return .exit(255) }
        token = text
      }
      call.state.phase = Phase.asksAgent.rawValue
      return ask(call, .agent(uri: uri, token: token))
    case .instance:
      call.state.phase = Phase.asksInstance.rawValue
      return ask(call, .instance)
    }
  }

  /// The content of a token's file; nil when it can't be read, which was said then.
  private static func readToken(_ file: String, _ call: Call) throws(FileFault) -> String? {
    do throws(FileFault) {
      return String(decoding: try call.read(file), as: UTF8.self)
    } catch {
      let number =
        switch error {
        case .pending: throw error
        case .denied: 13
        case .isDirectory: 21
        case .notDirectory: 20
        default: 2
        }
      call.raw("\n[Errno \(number)] \(error.rawValue): '\(file)'\n")
      return nil
    }
  }

  private static func afterSTS(
    _ call: Call, _ line: AWSArguments, _ request: AWSRequestLine, _ reply: QuestionReply?
  ) -> CommandOutcome {
    switch reply {
    case .output(let output)?:
      let key = output["Credentials"]["AccessKeyId"].string ?? ""
      return send(call, line, request, signer: .session(accessKeyID: key))
    case .error(let error)?: return fail(call, error, "AssumeRoleWithWebIdentity")
    case .disconnected(let text)?: return fail(call, text, 255)
    default: return noCredentials(call)
    }
  }

  private static func afterAgent(
    _ call: Call, _ line: AWSArguments, _ request: AWSRequestLine, _ reply: QuestionReply?
  ) -> CommandOutcome {
    let start = "Error when retrieving credentials from container-role: Error retrieving metadata: "
    let uri = call.system.environment(of: call.process)["AWS_CONTAINER_CREDENTIALS_FULL_URI"] ?? ""
    switch reply {
    case .credentials(let key)?: return send(call, line, request, signer: .session(accessKeyID: key))
    case .refused(let status, let text)?:
      return fail(call, "\(start)Received non 200 response \(status) from container metadata: \(text)", 255)
    default:
      return fail(
        call,
        "\(start)Received error when attempting to retrieve container metadata: Could not connect to the endpoint URL: "
          + "\"\(uri)\"", 255)
    }
  }

  // MARK: - The request

  private static func region(_ line: AWSArguments, _ call: Call) -> String? {
    let environment = call.system.environment(of: call.process)
    let found = line.region ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"]
    if let found, !found.isEmpty { return found }
    return (try? AWSProfile(line.profile ?? environment["AWS_PROFILE"], environment, call))?.region
  }

  private static func userAgent(_ request: AWSRequestLine) -> String {
    "aws-cli/2.22.35 md/awscrt#0.22.0 ua/2.0 os/linux#\(PodSystem.kernel) md/arch#x86_64 lang/python#3.12.6 "
      + "md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/distrib#amzn.2 md/prompt#off "
      + "md/command#\(request.command)"
  }

  private static func send(
    _ call: Call, _ line: AWSArguments, _ request: AWSRequestLine, signer: Question.Signer?
  ) -> CommandOutcome {
    guard let region = region(line, call) ?? (request.isGlobal ? "us-east-1" : nil) else { return noRegion(call) }
    call.state.phase = Phase.calls.rawValue
    return ask(
      call,
      .aws(
        .init(
          service: request.service, operation: request.operation, input: request.input, region: region,
          signer: signer, userAgent: userAgent(request))))
  }

  private static func ask(_ call: Call, _ question: Question) -> CommandOutcome {
    call.system.ask(question, for: call.process)
    return .waits(.answer)
  }

  private static func end(
    _ call: Call, _ line: AWSArguments, _ request: AWSRequestLine, _ reply: QuestionReply?
  ) -> CommandOutcome {
    switch reply {
    case .output(let output)?:
      var shown = AWSOutput.shaped(output, request.shape, service: request.service)
      if let text = request.listing(shown) {
        call.out(text)
        return .exit(0)
      }
      if shown.object?.isEmpty ?? shown.isNull { return .exit(0) }
      if let query = line.query {
        do throws(AWSQuery.Fault) { shown = try AWSQuery(query).pick(shown) } catch {
          return fail(call, error.text, 252)
        }
      }
      let form =
        line.output ?? call.system.environment(of: call.process)["AWS_DEFAULT_OUTPUT"] ?? "json"
      guard let text = AWSOutput.text(shown, form: form) else {
        return fail(call, "Unknown output type: \(form)", 252)
      }
      call.out(text)
      return .exit(0)
    case .error(let error)?: return fail(call, error, request.operation)
    case .disconnected(let text)?: return fail(call, text, 255)
    default: return noCredentials(call)
    }
  }

  // MARK: - Ends

  private static func fail(_ call: Call, _ text: String, _ code: Int) -> CommandOutcome {
    call.raw("\n\(text)\n")
    return .exit(code)
  }

  private static func fail(_ call: Call, _ error: AWSError, _ operation: String) -> CommandOutcome {
    fail(call, "An error occurred (\(error.code)) when calling the \(operation) operation: \(error.message)", 254)
  }

  private static func noCredentials(_ call: Call) -> CommandOutcome {
    fail(call, "Unable to locate credentials. You can configure credentials by running \"aws configure\".", 253)
  }

  private static func noRegion(_ call: Call) -> CommandOutcome {
    fail(
      call, "You must specify a region. You can also configure your region by running \"aws configure\".", 253)
  }
}

/// What a command line asks of which service.
struct AWSRequestLine {
  var service: String
  var operation: String
  var input: JSON
  var shape: AWSShape?
  var isUnsigned = false
  var isGlobal = false
  /// As the user agent tells it: `sts.get-caller-identity`.
  var command: String
  /// One of the `s3` commands, which print lists of their own.
  private var listsBuckets = false

  init(_ line: AWSArguments) throws(AWSArguments.Fault) {
    command = "\(line.service).\(line.operation)"
    guard !line.service.isEmpty else {
      throw AWSArguments.complaint("the following arguments are required: command")
    }
    if line.service == "s3" {
      service = "s3"
      guard line.operation == "ls", line.rest.isEmpty else {
        throw AWSArguments.Fault(
          text: "aws s3: ekswhy simulates `aws s3 ls` without a bucket only\n", code: 252)
      }
      operation = "ListBuckets"
      input = .emptyObject
      isGlobal = true
      listsBuckets = true
      return
    }
    guard let model = AWSServiceModel.named(line.service) else {
      throw AWSArguments.complaint(
        "argument command: Found invalid choice '\(line.service)' (ekswhy has no model of it)")
    }
    service = model.id
    guard !line.operation.isEmpty else {
      throw AWSArguments.complaint("the following arguments are required: operation")
    }
    guard let found = AWSArguments.operation(line.operation, of: model) else {
      throw AWSArguments.complaint("argument operation: Found invalid choice '\(line.operation)'")
    }
    operation = found.name
    input = try line.input(of: found)
    shape = found.output
    isUnsigned = found.isUnsigned
    isGlobal = model.globalEndpoint != nil
  }

  /// What `aws s3` prints in the place of the answer.
  func listing(_ answer: JSON) -> String? {
    guard listsBuckets else { return nil }
    return answer["Buckets"].items.map { bucket in
      let seconds = Int64(bucket["CreationDate"].double ?? 0)
      let text = Timestamp(seconds: seconds).rfc3339
      return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) \(bucket["Name"].string ?? "")\n"
    }.joined()
  }
}

/// A profile of the files in `~/.aws`.
struct AWSProfile {
  var credentials: AWSCredentials?
  var region: String?

  /// Nil where no file has it.
  init?(_ name: String?, _ environment: [String: String], _ call: Call) throws(FileFault) {
    let home = environment["HOME"] ?? "/root"
    let wanted = name ?? "default"
    var values: [String: String] = [:]
    var isThere = false
    for (file, sections) in [
      (environment["AWS_CONFIG_FILE"] ?? "\(home)/.aws/config", ["profile \(wanted)", wanted]),
      (environment["AWS_SHARED_CREDENTIALS_FILE"] ?? "\(home)/.aws/credentials", [wanted]),
    ] {
      let bytes: [UInt8]
      do throws(FileFault) { bytes = try call.read(file) } catch {
        if error == .pending { throw error }
        continue
      }
      var section = ""
      for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
        let text = line.trimmed
        if text.hasPrefix("["), text.hasSuffix("]") {
          section = String(text.dropFirst().dropLast()).trimmed
          if sections.contains(section) { isThere = true }
        } else if sections.contains(section), let equals = text.firstIndex(of: "=") {
          values[text[..<equals].trimmed] = text[text.index(after: equals)...].trimmed
        }
      }
    }
    guard isThere else { return nil }
    region = values["region"]
    if let key = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] {
      credentials = AWSCredentials(
        accessKeyID: key, secretAccessKey: secret, sessionToken: values["aws_session_token"])
    }
  }
}
