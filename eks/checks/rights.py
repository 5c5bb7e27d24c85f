"""rights.py RESOURCES CLUSTER README OVERLAY.yaml...: who may do what, from end to end.

The policies of the template against the table of rights in event-bins/README.md, their prefixes
against those of the overlays, the service accounts of the cluster against both, and what the bucket
refuses. One line for each complaint; the exit status is 1 if there is any.
"""

import re
import sys

import yaml

from rendered import Overlay, named

# Whose policy it is, in the table.
PROGRAMS = {
    "ProducerPolicy": ["event-producer"],
    "ConsumerPolicy": ["event-consumer"],
    "OperatorPolicy": ["eventctl status", "eventctl audit"],
    "CompactorPolicy": ["eventctl compact"],
}

# KEDA reads the depth of a queue whose URL it is told, nothing else.
KEDA = {"sqs:GetQueueAttributes"}

# Has no resource that could be named.
UNNAMED = {"cloudwatch:GetMetricStatistics"}


class Template(yaml.SafeLoader):
    """CloudFormation's short functions, as their argument."""


def function(loader, _, node):
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


Template.add_multi_constructor("!", function)


def listed(value):
    return value if isinstance(value, list) else [value]


def statements(template, policy):
    return template["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]


def policies(template):
    found = template["Resources"].items()
    return [name for name, value in found if value["Type"] == "AWS::IAM::ManagedPolicy"]


def table(readme):
    """The actions of each program in the section on rights."""
    section = readme.split("\n## Rights\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", section, re.M)
    return {program: set(re.findall(r"`(\w+:\w+)`", rest)) for program, rest in rows}


def actions(template, documented):
    """Each policy allows what its program needs, and no more."""
    for policy in policies(template):
        programs = PROGRAMS.get(policy, [])
        needed = set().union(*(documented[program] for program in programs)) or KEDA
        allowed = set()
        for statement in statements(template, policy):
            allowed |= set(listed(statement["Action"]))
            for resource in listed(statement["Resource"]):
                if resource == "*" and not set(listed(statement["Action"])) <= UNNAMED:
                    yield f"{policy}: {statement['Sid']} is about every resource"
        for action in sorted(allowed - needed):
            yield f"{policy} allows {action}, which nobody needs"
        for action in sorted(needed - allowed):
            yield f"{policy} does not allow {action}"


def bucket(template):
    """Nobody writes over an object, nor without encryption on the way."""
    denied = {
        statement["Sid"]: (statement["Condition"], listed(statement["Action"]))
        for statement in template["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Principal"] == "*"
        and "${Bucket.Arn}/*" in listed(statement["Resource"])
    }
    for sid, expected in (
        ("CreateOnly", ({"Null": {"s3:if-none-match": "true"}}, ["s3:PutObject"])),
        ("EncryptedConnectionsOnly", ({"Bool": {"aws:SecureTransport": "false"}}, ["s3:*"])),
    ):
        if denied.get(sid) != expected:
            yield f"BucketPolicy: {sid} does not deny {expected[1]} if {expected[0]}"


def prefixes(template, overlays):
    """The consumer may store below the prefixes that the overlays set, and below no other."""
    wanted = set()
    for overlay in overlays:
        settings = overlay.find("ConfigMap", "sales-events-consumer-ns", "consumer-settings")["data"]
        # Everything may be done in an emulator.
        if settings.get("AWS_ENDPOINT_URL"):
            continue
        prefix = settings["S3_PREFIX"]
        wanted |= {prefix, f"quarantine/{prefix}"}
    for statement in statements(template, "ConsumerPolicy"):
        if "s3:DeleteObject" in listed(statement["Action"]):
            yield f"ConsumerPolicy: {statement['Sid']}: a writer has no right to delete"
        if statement["Sid"] == "Store":
            given = {name.removeprefix("${Bucket.Arn}/") for name in listed(statement["Resource"])}
            expected = {f"{prefix}/*" for prefix in wanted}
            for prefix in sorted(given ^ expected):
                fault = "which no overlay uses" if prefix in given else "missing"
                yield f"ConsumerPolicy: Store: {prefix}, {fault}"


def cluster_of(template, cluster, overlays):
    """Each service account of a pod has the one policy of its program."""
    region = cluster["metadata"]["region"]
    named_policies = {
        template["Resources"][policy]["Properties"]["ManagedPolicyName"].replace(
            "${AWS::Region}", region
        )
        for policy in policies(template)
    }
    given, used = {}, []
    for association in cluster["iam"]["podIdentityAssociations"]:
        account = (association["namespace"], association["serviceAccountName"])
        given[account] = [arn.split("/")[-1] for arn in association["permissionPolicyARNs"]]
        used += given[account]
        if len(given[account]) != 1:
            yield f"cluster: {account} has more than one policy"
        elif not given[account][0].startswith(account[1].replace("keda-operator", "sales-events-keda")):
            yield f"cluster: {account} has the policy of another: {given[account][0]}"
    for policy in sorted(named_policies ^ set(used)):
        fault = "is nobody's" if policy in named_policies else "is not made by the template"
        yield f"cluster: the policy {policy} {fault}"
    accounts = set()
    for overlay in overlays:
        if overlay.name.endswith("local.yaml"):
            continue
        for found, pod in overlay.workloads():
            account = (found["metadata"]["namespace"], pod["spec"]["serviceAccountName"])
            accounts.add(account)
            if account not in given:
                yield f"{overlay.name}: {named(found)} has no rights: cluster.yaml has no {account}"
    for account in sorted(set(given) - accounts - {("keda", "keda-operator")}):
        yield f"cluster: {account} is nobody's account"
    role = template["Resources"]["AdminRole"]["Properties"]["RoleName"].replace(
        "${AWS::Region}", region
    )
    for entry in cluster["accessConfig"]["accessEntries"]:
        if entry["principalARN"].split("/")[-1] != role:
            yield f"cluster: the access entry of {entry['principalARN']} is not that of {role}"


def main(resources, cluster, readme, paths):
    with open(resources) as text:
        template = yaml.load(text, Template)
    with open(cluster) as text:
        cluster = yaml.safe_load(text)
    with open(readme) as text:
        documented = table(text.read())
    overlays = [Overlay(path) for path in paths]
    failed = False
    for complaint in [
        *actions(template, documented),
        *bucket(template),
        *prefixes(template, overlays),
        *cluster_of(template, cluster, overlays),
    ]:
        print(complaint)
        failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
