import Wire
import World

extension EC2Service {
  static var templateOperations: [String: Operation<EC2Service>] {
    [
      "CreateLaunchTemplate": createLaunchTemplate, "CreateLaunchTemplateVersion": createLaunchTemplateVersion,
      "DescribeLaunchTemplates": describeLaunchTemplates,
      "DescribeLaunchTemplateVersions": describeLaunchTemplateVersions,
      "ModifyLaunchTemplate": modifyLaunchTemplate, "DeleteLaunchTemplate": deleteLaunchTemplate,
      "DeleteLaunchTemplateVersions": deleteLaunchTemplateVersions,
    ]
  }

  static let templateDescription = Description(
    list: "LaunchTemplates", ids: "LaunchTemplateIds", id: "LaunchTemplateId", kind: "launchTemplate",
    filters: ["launch-template-name": "LaunchTemplateName"])

  func json(_ template: LaunchTemplate) -> JSON {
    [
      "LaunchTemplateId": .string(template.id), "LaunchTemplateName": .string(template.name),
      "CreateTime": .time(template.createdAt), "CreatedBy": .string(template.createdBy),
      "DefaultVersionNumber": .int(Int64(template.defaultVersion)),
      "LatestVersionNumber": .int(Int64(template.latest)), "Tags": template.tags.json,
      "Operator": ["Managed": false],
    ]
  }

  private func json(_ version: LaunchTemplate.Version, of template: LaunchTemplate) -> JSON {
    [
      "LaunchTemplateId": .string(template.id), "LaunchTemplateName": .string(template.name),
      "VersionNumber": .int(Int64(version.number)), "VersionDescription": JSON(version.description),
      "CreateTime": .time(version.createdAt), "CreatedBy": .string(version.createdBy),
      "DefaultVersion": .bool(version.number == template.defaultVersion), "LaunchTemplateData": version.data,
      "Operator": ["Managed": false],
    ]
  }

  /// The template that a request names by id or name.
  func template(_ input: JSON) throws(AWSError) -> LaunchTemplate {
    if let id = input["LaunchTemplateId"].string {
      guard let found = templates[id] else { throw .notFound("launchTemplate", id) }
      return found
    }
    let name = input["LaunchTemplateName"].string ?? ""
    guard let found = templates.first(where: { $0.name == name }) else {
      throw .ec2(
        "InvalidLaunchTemplateName.NotFoundException",
        "The specified launch template, with template name \(name), does not exist.")
    }
    return found
  }

  func version(named input: JSON) throws(AWSError) -> (LaunchTemplate, LaunchTemplate.Version) {
    let template = try template(input)
    guard let version = template.version(input["Version"].string) else {
      throw .ec2(
        "InvalidLaunchTemplateId.VersionNotFound",
        "Could not find the specified version \(input["Version"].string ?? "") for the launch template with ID \(template.id)."
      )
    }
    return (template, version)
  }

  private func createLaunchTemplate(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let name = input["LaunchTemplateName"].string ?? ""
    guard templates.first(where: { $0.name == name }) == nil else {
      throw .ec2("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
    }
    let template = LaunchTemplate(
      id: newID("lt"), name: name, createdAt: request.now, createdBy: request.principal.arn,
      versions: [
        .init(
          number: 1, data: input["LaunchTemplateData"], description: input["VersionDescription"].string,
          createdAt: request.now, createdBy: request.principal.arn)
      ], tags: newTags("launch-template", input))
    templates[template.id] = template
    return ["LaunchTemplate": json(template)]
  }

  private func createLaunchTemplateVersion(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    var template = try template(input)
    var data = input["LaunchTemplateData"]
    if let source = input["SourceVersion"].string {
      guard let base = template.version(source) else {
        throw .ec2(
          "InvalidLaunchTemplateId.VersionNotFound",
          "Could not find the specified version \(source) for the launch template with ID \(template.id).")
      }
      var merged = base.data
      for field in data.fields { merged[field.key] = field.value }
      data = merged
    }
    let version = LaunchTemplate.Version(
      number: template.latest + 1, data: data, description: input["VersionDescription"].string,
      createdAt: request.now, createdBy: request.principal.arn)
    template.versions.append(version)
    templates[template.id] = template
    return ["LaunchTemplateVersion": json(version, of: template)]
  }

  private func describeLaunchTemplates(_ request: AWSRequest) throws(AWSError) -> JSON {
    var all = templates.all
    let names = request.input["LaunchTemplateNames"].strings
    if !names.isEmpty {
      for name in names where !all.contains(where: { $0.name == name }) {
        throw .ec2(
          "InvalidLaunchTemplateName.NotFoundException",
          "At least one of the launch templates specified in the request does not exist.")
      }
      all = all.filter { names.contains($0.name) }
    }
    return try describe(Self.templateDescription, all.map(json), request)
  }

  private func describeLaunchTemplateVersions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    if input["LaunchTemplateId"].isNull, input["LaunchTemplateName"].isNull {
      let all = templates.all.flatMap { template in
        input["Versions"].strings.compactMap { template.version($0) }.map { json($0, of: template) }
      }
      return ["LaunchTemplateVersions": .array(all)]
    }
    let template = try template(input)
    let wanted = input["Versions"].strings
    var shown: [LaunchTemplate.Version] = []
    if wanted.isEmpty {
      shown = template.versions.reversed()
    } else {
      for name in wanted {
        guard let version = template.version(name) else {
          throw .ec2(
            "InvalidLaunchTemplateId.VersionNotFound",
            "Could not find the specified version \(name) for the launch template with ID \(template.id).")
        }
        if !shown.contains(where: { $0.number == version.number }) { shown.append(version) }
      }
    }
    return ["LaunchTemplateVersions": .array(shown.map { json($0, of: template) })]
  }

  private func modifyLaunchTemplate(_ request: AWSRequest) throws(AWSError) -> JSON {
    var template = try template(request.input)
    if let wanted = request.input["DefaultVersion"].string {
      guard let version = template.version(wanted) else {
        throw .ec2(
          "InvalidLaunchTemplateId.VersionNotFound",
          "Could not find the specified version \(wanted) for the launch template with ID \(template.id).")
      }
      template.defaultVersion = version.number
      templates[template.id] = template
    }
    return ["LaunchTemplate": json(template)]
  }

  private func deleteLaunchTemplate(_ request: AWSRequest) throws(AWSError) -> JSON {
    let template = try template(request.input)
    templates[template.id] = nil
    return ["LaunchTemplate": json(template)]
  }

  private func deleteLaunchTemplateVersions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let template = try template(request.input)
    var done: [JSON] = []
    var failed: [JSON] = []
    for wanted in request.input["Versions"].strings {
      let about: JSON = [
        "LaunchTemplateId": .string(template.id), "LaunchTemplateName": .string(template.name),
        "VersionNumber": .int(Int64(Int(wanted) ?? 0)),
      ]
      if Int(wanted) == template.defaultVersion || template.version(wanted) == nil {
        var failure = about
        failure["ResponseError"] = [
          "Code": "launchTemplateVersionDoesNotExist", "Message": "Could not delete launch template version",
        ]
        failed.append(failure)
      } else {
        templates.update(template.id) { $0.versions.removeAll { String($0.number) == wanted } }
        done.append(about)
      }
    }
    return [
      "SuccessfullyDeletedLaunchTemplateVersions": .array(done),
      "UnsuccessfullyDeletedLaunchTemplateVersions": .array(failed),
    ]
  }
}
