struct AWSPattern: Sendable {}
