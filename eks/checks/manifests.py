"""manifests.py OVERLAY.yaml...: what the schemas of Kubernetes do not see in rendered manifests.

Selectors that select nothing, references to what is not there, ports that nobody listens on, what
restricted Pod Security would refuse, scalers that fight. One line for each complaint; the exit
status is 1 if there is any.
"""

import re
import sys

from rendered import Overlay, containers, matches, named

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "m": 1e-3, "": 1}

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def quantity(text):
    number, unit = re.fullmatch(r"([0-9.]+)(\D*)", str(text)).groups()
    return float(number) * UNITS[unit]


def port_names(template):
    return {
        key
        for container in template["spec"]["containers"]
        for port in container.get("ports", [])
        for key in (port.get("name"), port["containerPort"])
    }


def namespaces(overlay):
    """Everything is in a namespace that is there, is restricted, and denies what is not allowed."""
    spaces = {found["metadata"]["name"]: found for found in overlay.of_kind("Namespace")}
    for found in overlay.objects:
        if found["kind"] == "Namespace":
            continue
        if found["metadata"].get("namespace") not in spaces:
            yield f"{named(found)} is in no namespace of this overlay"
    for name, space in spaces.items():
        if space["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"Namespace {name} does not enforce restricted Pod Security"
        policies = [
            policy["spec"]
            for policy in overlay.of_kind("NetworkPolicy")
            if policy["metadata"]["namespace"] == name
        ]
        if not any(
            spec["podSelector"] == {}
            and set(spec.get("policyTypes", [])) == {"Ingress", "Egress"}
            and not spec.get("ingress")
            and not spec.get("egress")
            for spec in policies
        ):
            yield f"Namespace {name} has no NetworkPolicy that denies everything"


def selectors(overlay):
    """Each selector takes the pods that it is meant for."""
    for found, template in overlay.workloads():
        labels = template["metadata"].get("labels", {})
        if found["kind"] == "Deployment" and not matches(found["spec"]["selector"], labels):
            yield f"{named(found)}: its selector does not match the labels of its pods"
        for spread in template["spec"].get("topologySpreadConstraints", []):
            if not matches(spread["labelSelector"], labels):
                yield f"{named(found)}: a topologySpreadConstraint does not match its own pods"
    for found in overlay.of_kind("Service"):
        selected = overlay.pods_of(
            found["metadata"]["namespace"], {"matchLabels": found["spec"]["selector"]}
        )
        if not selected:
            yield f"{named(found)} selects no pods"
        for _, template in selected:
            for port in found["spec"]["ports"]:
                if port.get("targetPort", port["port"]) not in port_names(template):
                    yield f'{named(found)}: no container has the port {port.get("targetPort")}'
    for found in overlay.of_kind("PodDisruptionBudget"):
        selected = overlay.pods_of(found["metadata"]["namespace"], found["spec"]["selector"])
        if not selected:
            yield f"{named(found)} selects no pods"
        for workload, _ in selected:
            least = found["spec"].get("minAvailable", 0)
            if isinstance(least, str) or least >= workload["spec"].get("replicas", 2):
                yield f"{named(found)} blocks the drain of a node: give maxUnavailable"
    for found in overlay.of_kind("NetworkPolicy"):
        spec = found["spec"]
        selected = overlay.pods_of(found["metadata"]["namespace"], spec["podSelector"])
        if not selected:
            yield f"{named(found)} selects no pods"
        for direction in ("ingress", "egress"):
            if spec.get(direction) and direction.capitalize() not in spec["policyTypes"]:
                yield f"{named(found)}: {direction} rules without the policyType"
        for rule in spec.get("ingress", []):
            for port in rule.get("ports", []):
                for workload, template in selected:
                    if port["port"] not in port_names(template):
                        yield f'{named(found)}: {named(workload)} has no port {port["port"]}'


def references(overlay):
    """What a pod names is there."""
    kinds = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
    for found, template in overlay.workloads():
        space, spec = found["metadata"]["namespace"], template["spec"]
        account = spec.get("serviceAccountName", "default")
        if not overlay.find("ServiceAccount", space, account):
            yield f"{named(found)}: no ServiceAccount {account}"
        for container in containers(template):
            for source in container.get("envFrom", []):
                for key, kind in kinds.items():
                    if key in source and not overlay.find(kind, space, source[key]["name"]):
                        yield f'{named(found)}: no {kind} {source[key]["name"]}'
            volumes = {volume["name"] for volume in spec.get("volumes", [])}
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f'{named(found)}: no volume {mount["name"]}'
            ports = {port.get("name") for port in container.get("ports", [])}
            for probe in PROBES:
                port = container.get(probe, {}).get("httpGet", {}).get("port")
                if port is not None and port not in ports:
                    yield f"{named(found)}: its {probe} asks the port {port}, which it has not"
    for found in overlay.of_kind("ScaledObject"):
        space = found["metadata"]["namespace"]
        for trigger in found["spec"]["triggers"]:
            name = trigger.get("authenticationRef", {}).get("name")
            if name and not overlay.find("TriggerAuthentication", space, name):
                yield f"{named(found)}: no TriggerAuthentication {name}"


def hardened(overlay):
    """What restricted Pod Security asks for, and beyond it: a root that cannot be written to, no
    token of the API, requests and limits."""
    for found, template in overlay.workloads():
        who, spec = named(found), template["spec"]
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{who}: its pods get a token of the Kubernetes API"
        pod = spec.get("securityContext", {})
        if not pod.get("runAsNonRoot") or not pod.get("runAsUser"):
            yield f"{who}: its pods may run as root"
        if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{who}: its pods have no seccomp profile"
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(field):
                yield f"{who}: {field}"
        for container in containers(template):
            context = container.get("securityContext", {})
            if context.get("allowPrivilegeEscalation") is not False:
                yield f"{who}: a container may gain privileges"
            if context.get("capabilities", {}).get("drop") != ["ALL"] or context.get(
                "capabilities", {}
            ).get("add"):
                yield f"{who}: a container keeps capabilities"
            if not context.get("readOnlyRootFilesystem"):
                yield f"{who}: a container may write to its root"
            resources = container.get("resources", {})
            for resource in ("cpu", "memory"):
                request = resources.get("requests", {}).get(resource)
                limit = resources.get("limits", {}).get(resource)
                if request is None or limit is None:
                    yield f"{who}: a container without request or limit of {resource}"
                elif quantity(request) > quantity(limit):
                    yield f"{who}: a container requests more {resource} than its limit"


def probes(overlay):
    """Each probe says how long it waits: by itself it would give up after a second."""
    for found, template in overlay.workloads():
        for container in containers(template):
            for probe in PROBES:
                if probe in container and "timeoutSeconds" not in container[probe]:
                    yield f"{named(found)}: a {probe} without timeoutSeconds"


def names(overlay):
    """Names with a dot are looked up as they are first, not below the domains of the cluster. So what
    is in the cluster is named in full."""
    for found, template in overlay.workloads():
        options = template["spec"].get("dnsConfig", {}).get("options", [])
        if {"name": "ndots", "value": "1"} not in options:
            yield f"{named(found)}: its pods look each name up below the domains of the cluster, ndots is not 1"
        for container in containers(template):
            for name, value in overlay.variables(found, container).items():
                host = re.match(r"(?:\w+://)?([^/:]*\.svc[^/:]*)", value)
                if host and not host[1].endswith(".svc.cluster.local"):
                    yield f"{named(found)}: {name} names {host[1]}, which is not its name in full"


def scalers(overlay):
    """Each workload has one scaler at most, which alone says how many, and shrinks it more slowly
    than a pod drains."""
    scaled = set()
    for found in overlay.of_kind("ScaledObject", "HorizontalPodAutoscaler"):
        spec, space = found["spec"], found["metadata"]["namespace"]
        target = spec["scaleTargetRef"]["name"]
        deployment = overlay.find("Deployment", space, target)
        if not deployment:
            yield f"{named(found)}: no Deployment {target}"
            continue
        if (space, target) in scaled:
            yield f"{named(found)}: {target} has another scaler already"
        scaled.add((space, target))
        if "replicas" in deployment["spec"]:
            yield f"{named(deployment)}: replicas, which {named(found)} is to say"
        if found["kind"] == "ScaledObject":
            spec = spec["advanced"]["horizontalPodAutoscalerConfig"]
        window = spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"]
        drain = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        if window <= drain:
            yield f"{named(found)}: scales down after {window} s, a drain takes up to {drain} s"


def schedules(overlay):
    """Five fields of numbers, steps, ranges and lists, within their bounds."""
    bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
    for found in overlay.of_kind("CronJob"):
        fields = found["spec"]["schedule"].split()
        sound = len(fields) == len(bounds) and all(
            re.fullmatch(r"(\*|\d+(-\d+)?)(/\d+)?(,\d+(-\d+)?)*", field)
            and all(low <= int(number) <= high for number in re.findall(r"(?<!/)\b\d+", field))
            for field, (low, high) in zip(fields, bounds)
        )
        if not sound:
            yield f'{named(found)}: {found["spec"]["schedule"]!r} is no schedule'


RULES = [namespaces, selectors, references, hardened, probes, names, scalers, schedules]


def main(paths):
    failed = False
    for path in paths:
        overlay = Overlay(path)
        for rule in RULES:
            for complaint in rule(overlay):
                print(f"{path}: {complaint}")
                failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
