import Mechanisms
import Wire
import World

/// AssumeRoleWithWebIdentity: a service account's token for a role's credentials.
extension STSService {
  func assumeRoleWithWebIdentity(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let token = world.ports.webIdentity(input["WebIdentityToken"].string ?? "", request.call.isInside)
    let providers = iam.providers.all.map { WebIdentityToken.Provider(arn: $0.arn, clientIDs: $0.clientIDs) }
    let verdict = WebIdentityToken.decide(
      .init(
        claims: .known(token.claims), isVerified: .known(token.cluster != nil), providers: .known(providers),
        now: .known(request.now)))
    guard let provider = verdict.value, let claims = token.claims else {
      let reason = verdict.reasons.last ?? Because("", "")
      throw AWSError(code: WebIdentityToken.errorCode(reason), message: reason.text, status: 400)
    }
    guard let role = iam.role(arn: input["RoleArn"].string ?? ""),
      iam.mayAssume(role, claims, provider: provider.arn, request)
    else {
      throw AWSError(
        code: "AccessDenied", message: "Not authorized to perform sts:AssumeRoleWithWebIdentity", status: 403)
    }
    let (session, credentials) = makeSession(
      role: role, name: input["RoleSessionName"].string ?? "", duration: try duration(input, of: role),
      policies: try policies(in: input), provider: provider.arn)
    return [
      "Credentials": json(session, credentials), "SubjectFromWebIdentityToken": .string(claims.subject),
      "AssumedRoleUser": ["AssumedRoleId": .string(session.userID), "Arn": .string(session.arn)],
      "Provider": .string(provider.arn), "Audience": .string(claims.audience?.first ?? ""),
    ]
  }
}
