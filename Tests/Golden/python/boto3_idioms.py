"""What boto3 promises of EKS: its waiters come to an end, its paginators to all pages, its errors to their classes."""
import json
import uuid

import boto3

iam, ec2, eks = (boto3.client(name) for name in ("iam", "ec2", "eks"))
# The waiters ask at once and then after half a minute; what is quick here is asked for again sooner.
often = {"Delay": 1, "MaxAttempts": 60}


def role(name, service, *policies):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.get_waiter("role_exists").wait(RoleName=name)
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return arn


cluster_role = role("cluster", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
node_role = role(
    "node", "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy",
    "AmazonEC2ContainerRegistryReadOnly")
pod_role = role("pod", "pods.eks.amazonaws.com")
subnets = [s["SubnetId"] for page in ec2.get_paginator("describe_subnets").paginate() for s in page["Subnets"]]

# One token, one cluster; another token, a refusal.
token = str(uuid.uuid4())
asked = dict(name="demo", roleArn=cluster_role, resourcesVpcConfig={"subnetIds": subnets})
first = eks.create_cluster(clientRequestToken=token, **asked)["cluster"]
assert eks.create_cluster(clientRequestToken=token, **asked)["cluster"]["arn"] == first["arn"]
eks.get_waiter("cluster_active").wait(name="demo", WaiterConfig=often)
try:
    eks.create_cluster(**asked)
    raise SystemExit("a second cluster of that name")
except eks.exceptions.ResourceInUseException as error:
    assert error.response["clusterName"] == "demo"
print("cluster")

group = dict(clusterName="demo", nodegroupName="ng", nodeRole=node_role, subnets=subnets)
eks.create_nodegroup(scalingConfig={"minSize": 1, "maxSize": 1, "desiredSize": 1}, **group)
eks.get_waiter("nodegroup_active").wait(clusterName="demo", nodegroupName="ng", WaiterConfig=often)
print("nodegroup")

eks.create_addon(clusterName="demo", addonName="eks-pod-identity-agent")
eks.get_waiter("addon_active").wait(clusterName="demo", addonName="eks-pod-identity-agent", WaiterConfig=often)
print("addon")

names = [f"account-{n:02}" for n in range(7)]
for name in names:
    eks.create_pod_identity_association(clusterName="demo", namespace="shop", serviceAccount=name, roleArn=pod_role)
pages = list(
    eks.get_paginator("list_pod_identity_associations").paginate(
        clusterName="demo", PaginationConfig={"PageSize": 3}))
assert [len(page["associations"]) for page in pages] == [3, 3, 1], pages
assert sorted(a["serviceAccount"] for page in pages for a in page["associations"]) == names
for operation, key, arguments in [
    ("list_clusters", "clusters", {}),
    ("list_nodegroups", "nodegroups", {"clusterName": "demo"}),
    ("list_addons", "addons", {"clusterName": "demo"}),
    ("list_access_policies", "accessPolicies", {}),
    ("describe_addon_versions", "addons", {"kubernetesVersion": "1.34"}),
    ("describe_cluster_versions", "clusterVersions", {}),
    ("list_insights", "insights", {"clusterName": "demo"}),
]:
    pages = list(eks.get_paginator(operation).paginate(PaginationConfig={"PageSize": 2}, **arguments))
    found = [item for page in pages for item in page[key]]
    assert found and all(len(page[key]) <= 2 for page in pages), (operation, pages)
    whole = getattr(eks, operation)(**arguments)[key]
    assert found == whole, (operation, found, whole)
print("pages")

arn = first["arn"]
eks.tag_resource(resourceArn=arn, tags={"team": "shop", "tier": "a"})
eks.untag_resource(resourceArn=arn, tagKeys=["tier"])
assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "shop"}
schema = eks.describe_addon_configuration(addonName="coredns", addonVersion=eks.describe_addon_versions(
    addonName="coredns", kubernetesVersion="1.34")["addons"][0]["addonVersions"][0]["addonVersion"])
assert "$schema" in json.loads(schema["configurationSchema"])
insight = eks.list_insights(clusterName="demo", filter={"statuses": ["PASSING"]})["insights"][0]
shown = eks.describe_insight(clusterName="demo", id=insight["id"])["insight"]
assert shown["category"] == "UPGRADE_READINESS" and shown["name"] == insight["name"]
assert eks.start_insights_refresh(clusterName="demo")["status"] == "IN_PROGRESS"
assert eks.describe_insights_refresh(clusterName="demo")["status"] == "COMPLETED"
key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
config = [{"resources": ["secrets"], "provider": {"keyArn": key}}]
update = eks.associate_encryption_config(clusterName="demo", encryptionConfig=config)["update"]
assert update["type"] == "AssociateEncryptionConfig"
eks.get_waiter("cluster_active").wait(name="demo", WaiterConfig=often)
assert eks.describe_update(name="demo", updateId=update["id"])["update"]["status"] == "Successful"
assert eks.describe_cluster(name="demo")["cluster"]["encryptionConfig"] == config
try:
    eks.associate_encryption_config(clusterName="demo", encryptionConfig=config)
    raise SystemExit("encrypted twice")
except eks.exceptions.InvalidParameterException:
    pass
print("rest")

eks.delete_addon(clusterName="demo", addonName="eks-pod-identity-agent")
eks.get_waiter("addon_deleted").wait(clusterName="demo", addonName="eks-pod-identity-agent", WaiterConfig=often)
eks.delete_nodegroup(clusterName="demo", nodegroupName="ng")
eks.get_waiter("nodegroup_deleted").wait(
    clusterName="demo", nodegroupName="ng", WaiterConfig=often)
eks.delete_cluster(name="demo")
eks.get_waiter("cluster_deleted").wait(name="demo", WaiterConfig=often)
try:
    eks.describe_cluster(name="demo")
    raise SystemExit("the cluster stays")
except eks.exceptions.ResourceNotFoundException as error:
    assert error.response["Error"]["Message"] == "No cluster found for name: demo."
print("gone")
