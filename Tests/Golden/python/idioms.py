"""What programs do with the PyPI package `kubernetes`. Each idiom says its name once it went as it goes upstream."""

import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.stream import stream

config.load_kube_config()
api = client.ApiClient()
core = client.CoreV1Api()
apps = client.AppsV1Api()
batch = client.BatchV1Api()
policy = client.PolicyV1Api()
NS = "default"


def done(name):
    print(name, flush=True)


def until(what, check, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        value = check()
        if value:
            return value
        time.sleep(0.1)
    raise SystemExit(f"{what} never came")


# Typed objects, and what comes back of them.
labels = {"app": "idiom"}
template = client.V1PodTemplateSpec(
    metadata=client.V1ObjectMeta(labels=labels),
    spec=client.V1PodSpec(
        containers=[
            client.V1Container(
                name="c",
                image="nginx",
                ports=[client.V1ContainerPort(container_port=80)],
                resources=client.V1ResourceRequirements(requests={"cpu": "50m", "memory": "32Mi"}),
            )
        ]
    ),
)
deployment = apps.create_namespaced_deployment(
    NS,
    client.V1Deployment(
        metadata=client.V1ObjectMeta(name="idiom"),
        spec=client.V1DeploymentSpec(
            replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=template
        ),
    ),
)
assert deployment.spec.strategy.rolling_update.max_surge == "25%"
until("two replicas", lambda: apps.read_namespaced_deployment("idiom", NS).status.ready_replicas == 2)
scale = apps.read_namespaced_deployment_scale("idiom", NS)
assert scale.spec.replicas == 2 and scale.status.selector == "app=idiom"
apps.patch_namespaced_deployment_scale("idiom", NS, {"spec": {"replicas": 1}})
until("one replica", lambda: apps.read_namespaced_deployment("idiom", NS).status.replicas == 1)
done("typed")

# Errors carry upstream's Status.
try:
    core.read_namespaced_pod("nosuch", NS)
except ApiException as error:
    assert error.status == 404 and '"reason":"NotFound"' in error.body, error.body
try:
    deployment.spec.replicas = 3
    apps.replace_namespaced_deployment("idiom", NS, deployment)
except ApiException as error:
    assert error.status == 409 and "the object has been modified" in error.body, error.body
try:
    core.create_namespaced_config_map(NS, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="Bad_Name")))
except ApiException as error:
    assert error.status == 422 and "metadata.name" in error.body, error.body
done("errors")

# Every type of patch.
core.create_namespaced_config_map(NS, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="p"), data={"a": "1"}))
assert core.patch_namespaced_config_map("p", NS, {"data": {"b": "2"}}).data == {"a": "1", "b": "2"}
patched = core.patch_namespaced_config_map("p", NS, [{"op": "remove", "path": "/data/a"}])
assert patched.data == {"b": "2"}
merged = core.patch_namespaced_config_map(
    "p", NS, {"data": {"b": None, "c": "3"}}, _content_type="application/merge-patch+json"
)
assert merged.data == {"c": "3"}
applied = core.patch_namespaced_config_map(
    "p",
    NS,
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p"}, "data": {"d": "4"}},
    _content_type="application/apply-patch+yaml",
    field_manager="idioms",
)
assert applied.data == {"c": "3", "d": "4"}
assert any(f.manager == "idioms" and f.operation == "Apply" for f in applied.metadata.managed_fields)
dry = core.patch_namespaced_config_map("p", NS, {"data": {"x": "y"}}, dry_run="All")
assert "x" in dry.data and "x" not in core.read_namespaced_config_map("p", NS).data
done("patches")

# Lists in pages, by selectors, of all namespaces; preconditions; deletion of a collection.
for index in range(5):
    core.create_namespaced_secret(
        NS, client.V1Secret(metadata=client.V1ObjectMeta(name=f"s{index}", labels=labels), string_data={"k": "v"})
    )
page = core.list_namespaced_secret(NS, label_selector="app=idiom", limit=2)
names = [item.metadata.name for item in page.items]
while page.metadata._continue:
    page = core.list_namespaced_secret(NS, label_selector="app=idiom", limit=2, _continue=page.metadata._continue)
    names += [item.metadata.name for item in page.items]
assert names == [f"s{index}" for index in range(5)], names
assert len(core.list_secret_for_all_namespaces(field_selector="metadata.name=s1").items) == 1
try:
    core.delete_namespaced_secret(
        "s0", NS, body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=str(uuid.uuid4())))
    )
except ApiException as error:
    assert error.status == 409, error.body
core.delete_collection_namespaced_secret(NS, label_selector="app=idiom")
assert not core.list_namespaced_secret(NS, label_selector="app=idiom").items
done("lists")

# A watch that goes on where it stopped.
version = core.list_namespaced_config_map(NS).metadata.resource_version


def change():
    time.sleep(0.2)
    core.patch_namespaced_config_map("p", NS, {"data": {"e": "5"}})
    core.delete_namespaced_config_map("p", NS)


threading.Thread(target=change).start()
watcher = watch.Watch()
seen = []
for event in watcher.stream(core.list_namespaced_config_map, NS, resource_version=version, timeout_seconds=20):
    seen.append((event["type"], event["object"].metadata.name))
    watcher.stop()
for event in watcher.stream(
    core.list_namespaced_config_map, NS, resource_version=watcher.resource_version, timeout_seconds=20
):
    seen.append((event["type"], event["object"].metadata.name))
    watcher.stop()
assert seen == [("MODIFIED", "p"), ("DELETED", "p")], seen
try:
    for _ in watch.Watch().stream(core.list_namespaced_pod, NS, resource_version="999999999", timeout_seconds=2):
        pass
except ApiException as error:
    assert error.status in (410, 504, 500), error
done("watch")

# Files of several documents.
with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
    file.write(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: from-yaml}\n---\n"
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: from-yaml}\n"
        "spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sh, -c, 'echo done']}]}}}\n"
    )
    file.flush()
    made = utils.create_from_yaml(api, file.name, namespace=NS)
    assert [group[0].kind for group in made] == ["ServiceAccount", "Job"]
    try:
        utils.create_from_yaml(api, file.name, namespace=NS)
    except utils.FailToCreateError as error:
        assert [one.status for one in error.api_exceptions] == [409, 409]
until("a finished job", lambda: batch.read_namespaced_job("from-yaml", NS).status.succeeded == 1)
pod = core.list_namespaced_pod(NS, label_selector="job-name=from-yaml").items[0].metadata.name
assert core.read_namespaced_pod_log(pod, NS) == "done\n"
done("yaml")

# Kinds by name, known to the server alone.
definition = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "idioms.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "idioms", "singular": "idiom", "kind": "Idiom"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}
dyn = dynamic.DynamicClient(api)
crds = dyn.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
crds.create(body=definition)
until(
    "an established definition",
    lambda: any(
        c.type == "Established" and c.status == "True"
        for c in (crds.get(name="idioms.example.org").status or {}).get("conditions", [])
    ),
)
custom = client.CustomObjectsApi()
custom.create_namespaced_custom_object(
    "example.org", "v1", NS, "idioms", {"apiVersion": "example.org/v1", "kind": "Idiom", "metadata": {"name": "i"}, "spec": {"n": 1}}
)
kinds = dynamic.DynamicClient(api).resources.get(api_version="example.org/v1", kind="Idiom")
assert kinds.get(name="i", namespace=NS).spec.n == 1
kinds.patch(
    name="i", namespace=NS, body={"spec": {"n": 2}}, content_type="application/merge-patch+json"
)
custom.patch_namespaced_custom_object_status("example.org", "v1", NS, "idioms", "i", {"status": {"seen": True}})
assert custom.get_namespaced_custom_object("example.org", "v1", NS, "idioms", "i")["status"] == {"seen": True}
assert kinds.server_side_apply(
    namespace=NS, name="i", field_manager="idioms", force_conflicts=True,
    body={"apiVersion": "example.org/v1", "kind": "Idiom", "metadata": {"name": "i"}, "spec": {"n": 3}},
).spec.n == 3
try:
    kinds.patch(name="i", namespace=NS, body={"spec": {"n": 10}}, content_type="application/merge-patch+json")
except ApiException as error:
    assert error.status == 422 and "should be less than or equal to 9" in str(error.body), error.body
for event in kinds.watch(namespace=NS, timeout=5):
    assert event["type"] == "ADDED" and event["object"].metadata.name == "i"
    break
crds.delete(name="idioms.example.org")
done("dynamic")

# Commands in containers.
running = next(
    pod.metadata.name
    for pod in core.list_namespaced_pod(NS, label_selector="app=idiom", field_selector="status.phase=Running").items
    if not pod.metadata.deletion_timestamp
)
answer = stream(
    core.connect_get_namespaced_pod_exec, running, NS, command=["sh", "-c", "cat; echo $0", "x"],
    stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
)
answer.write_stdin("one\n")
until("an echo", lambda: answer.peek_stdout(timeout=1))
assert answer.read_stdout() == "one\n"
answer.close()
page = core.connect_get_namespaced_pod_proxy(running, NS)
assert "Welcome to nginx!" in page, page
done("streams")

# Evictions ask the budget.
policy.create_namespaced_pod_disruption_budget(
    NS,
    client.V1PodDisruptionBudget(
        metadata=client.V1ObjectMeta(name="idiom"),
        spec=client.V1PodDisruptionBudgetSpec(min_available=1, selector=client.V1LabelSelector(match_labels=labels)),
    ),
)
until(
    "a judged budget",
    lambda: policy.read_namespaced_pod_disruption_budget("idiom", NS).status.current_healthy == 1,
)
eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=running, namespace=NS))
try:
    core.create_namespaced_pod_eviction(running, NS, eviction)
    raise SystemExit("the eviction was let through")
except ApiException as error:
    assert error.status == 429 and "would violate the pod's disruption budget" in error.body, error.body
policy.delete_namespaced_pod_disruption_budget("idiom", NS)
core.create_namespaced_pod_eviction(running, NS, eviction)
done("eviction")

# One leader at a time.
led = threading.Event()
lock = ConfigMapLock("leader", NS, "one")
threading.Thread(
    target=leaderelection.LeaderElection(
        electionconfig.Config(
            lock, lease_duration=15, renew_deadline=10, retry_period=2, onstarted_leading=led.set, onstopped_leading=lambda: None
        )
    ).run,
    daemon=True,
).start()
assert led.wait(20)
held = core.read_namespaced_config_map("leader", NS).metadata.annotations["control-plane.alpha.kubernetes.io/leader"]
assert '"holderIdentity": "one"' in held, held
done("leader")

# An informer: a list, a watch from its revision, and after each end a watch from where the last one stood. Nothing is
# seen twice, nothing is missed; a revision that is too old is told as such, and the list is made again.
class Informer:
    def __init__(self, selector):
        self.selector, self.store, self.seen = selector, {}, []
        self.relist()

    def relist(self):
        page = core.list_namespaced_config_map(NS, label_selector=self.selector, limit=50)
        items = page.items
        while page.metadata._continue:
            page = core.list_namespaced_config_map(
                NS, label_selector=self.selector, limit=50, _continue=page.metadata._continue
            )
            items += page.items
        self.store = {item.metadata.name: item for item in items}
        self.revision = page.metadata.resource_version

    def follow(self, until):
        while not until():
            watcher = watch.Watch()
            events = watcher.stream(
                core.list_namespaced_config_map, NS, label_selector=self.selector, resource_version=self.revision,
                allow_watch_bookmarks=True, timeout_seconds=2,
            )
            for event in events:
                thing = event["object"]
                # Bookmarks come as they are on the wire.
                meta = thing["metadata"] if isinstance(thing, dict) else thing.metadata.to_dict()
                self.revision = meta.get("resourceVersion") or meta.get("resource_version")
                if event["type"] == "BOOKMARK":
                    continue
                self.seen.append((event["type"], meta["name"]))
                if event["type"] == "DELETED":
                    self.store.pop(meta["name"])
                else:
                    self.store[meta["name"]] = thing
                if until():
                    watcher.stop()


def chunk(number, value="a"):
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": f"chunk-{number:03}", "labels": {"bulk": "yes"}}, "data": {"value": value},
    }


informer = Informer("bulk=yes")
assert informer.store == {}

# A chart of 500 objects, applied as Helm 4 does: by server-side apply, some at a time, twice, with nothing to write
# the second time.
def apply(body):
    return core.patch_namespaced_config_map(
        body["metadata"]["name"], NS, body, field_manager="helm", force=True,
        _content_type="application/apply-patch+yaml",
    )


with ThreadPoolExecutor(8) as workers:
    first = list(workers.map(apply, [chunk(number) for number in range(500)]))
    again = list(workers.map(apply, [chunk(number) for number in range(500)]))
assert [item.metadata.resource_version for item in first] == [item.metadata.resource_version for item in again]
assert all(item.metadata.managed_fields[0].manager == "helm" for item in again)
changed = apply(chunk(7, "b"))
assert changed.data == {"value": "b"}
done("bulk")

informer.follow(lambda: len(informer.seen) == 501)
assert len(informer.store) == 500 and informer.store["chunk-007"].data == {"value": "b"}
assert informer.seen[-1] == ("MODIFIED", "chunk-007")
core.delete_namespaced_config_map("chunk-008", NS)
informer.follow(lambda: len(informer.seen) == 502)
assert informer.seen[-1] == ("DELETED", "chunk-008") and "chunk-008" not in informer.store
fresh = Informer("bulk=yes")
assert fresh.store.keys() == informer.store.keys()
core.delete_collection_namespaced_config_map(NS, label_selector="bulk=yes")
try:
    for event in watch.Watch().stream(core.list_namespaced_config_map, NS, resource_version="1", timeout_seconds=2):
        pass
    raise SystemExit("a watch from revision 1 went on")
except ApiException as error:
    assert error.status == 410, error
informer.relist()
assert informer.store == {}
done("informer")

# Asking for rights and for tokens.
review = client.AuthorizationV1Api().create_self_subject_access_review(
    client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(
            resource_attributes=client.V1ResourceAttributes(namespace=NS, verb="create", resource="pods")
        )
    )
)
assert review.status.allowed
token = core.create_namespaced_service_account_token(
    "from-yaml", NS, client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
)
who = client.AuthenticationV1Api().create_token_review(
    client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token.status.token))
)
assert who.status.user.username == "system:serviceaccount:default:from-yaml"
assert client.VersionApi().get_code().major == "1"
done("rights")
